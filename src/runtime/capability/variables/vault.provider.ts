import { Agent, request } from 'undici';
import type { VariablesProvider } from '#contract/runtime-grant.js';
import { VariableFault } from './variable-fault.js';

const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 8;
/** No value of a variable has a reason to be larger. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Spin's words. */
const FAULT = 'Failed to check Vault for config';

/**
 * HashiCorp Vault, version 2 of its key-value engine: the field `value` of the secret that has the variable's name
 * (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, "Read secret version").
 */
export class VaultProvider {
  private readonly base: string;
  /** Its own: what is asked for one app goes over no connection of another's. */
  private readonly agent = new Agent({ connections: MAX_CONNECTIONS, allowH2: false });

  constructor(private readonly config: Extract<VariablesProvider, { type: 'vault' }>) {
    const { url, mount, prefix } = config;
    this.base = [`${url.replace(/\/+$/, '')}/v1`, toPath(mount), 'data', ...(prefix === undefined || prefix === '' ? [] : [toPath(prefix)])].join('/');
  }

  /** undefined: Vault has no such secret, or it was deleted. Rejects with a VariableFault. */
  async get(name: string): Promise<string | undefined> {
    const answer = await this.ask(name).catch((error: unknown) => {
      throw new VariableFault(FAULT, `${FAULT}: ${(error as { code?: string }).code ?? (error as Error).name}`);
    });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw new VariableFault(FAULT, `${FAULT}: it answers ${answer.status}`);
    const value = valueIn(answer.body);
    if (value === undefined) throw new VariableFault(FAULT, `${FAULT}: the secret has no field "value" that is a text`);
    return value;
  }

  private async ask(name: string): Promise<{ status: number; body: string }> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const headers = { 'x-vault-token': this.config.token, 'x-vault-request': 'true' };
    const { statusCode, body } = await request(`${this.base}/${encodeURIComponent(name)}`, { headers, signal, dispatcher: this.agent });
    if (statusCode !== 200) {
      await body.dump();
      return { status: statusCode, body: '' };
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) throw new RangeError('the answer is too long');
      chunks.push(chunk);
    }
    return { status: statusCode, body: Buffer.concat(chunks).toString('utf8') };
  }
}

/** `{ data: { data: { value } } }`. */
function valueIn(body: string): string | undefined {
  try {
    const { value } = (JSON.parse(body) as { data: { data: { value: unknown } } }).data.data;
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

const toPath = (text: string): string => text.split('/').filter((part) => part !== '').map(encodeURIComponent).join('/');
