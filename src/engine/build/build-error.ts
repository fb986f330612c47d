/**
 * What a refusal is about, for the caller to map to its own error codes:
 *
 * | kind | meaning |
 * |---|---|
 * | not-wasm | neither a core module nor a component |
 * | malformed | the bytes break the binary format |
 * | unsupported | well formed, but a feature this engine does not cover |
 * | invalid | decodes, but breaks a validation rule |
 * | limit | asks for more than the engine or the operator allows |
 * | mismatch | a dependency does not fit the component that it is for |
 * | componentize | a core module that could not be made into a component |
 */
export type BuildErrorKind = 'not-wasm' | 'malformed' | 'unsupported' | 'invalid' | 'limit' | 'mismatch' | 'componentize';

/** Messages carry names that the guest chose, of any length. */
const MAX_MESSAGE_LENGTH = 1_000;

/** Why a component cannot be deployed. Everything `build/` throws on bad input is one of these; the message names the place. */
export class BuildError extends Error {
  override name = 'BuildError';
  constructor(readonly kind: BuildErrorKind, message: string, options?: ErrorOptions) {
    super(message.length > MAX_MESSAGE_LENGTH ? `${message.slice(0, MAX_MESSAGE_LENGTH)}…` : message, options);
  }
}

/** The component binary cannot be read. `offset` is the byte in the whole input. */
export class DecodeError extends BuildError {
  override name = 'DecodeError';
  constructor(kind: 'not-wasm' | 'malformed' | 'unsupported' | 'limit', message: string, readonly offset: number) {
    super(kind, `${message} (at byte ${offset})`);
  }
}

/** The component reads well but cannot be linked to a plan. */
export class LinkError extends BuildError {
  override name = 'LinkError';
  declare readonly kind: 'unsupported' | 'invalid' | 'limit';
  constructor(kind: 'unsupported' | 'invalid' | 'limit', message: string) {
    super(kind, message);
  }
}

/** A core module that the rewriter does not take. */
export class RewriteError extends BuildError {
  override name = 'RewriteError';
}
