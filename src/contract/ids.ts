import { z } from 'zod';

/** `sha256:<64 hex>`: the name of immutable bytes (OCI image-spec, descriptor digests). */
export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256:<64 hex digits>').brand<'Digest'>();
export type Digest = z.infer<typeof Digest>;

/** The name of a blob that the registry keeps for clients: SHA-256, or SHA-512 (OCI image-spec, registered algorithms). */
export const BlobDigest = z.union([Digest, z.string().regex(/^sha512:[0-9a-f]{128}$/, 'expected sha512:<128 hex digits>').brand<'Sha512Digest'>()], 'expected sha256:<64 hex digits> or sha512:<128 hex digits>');
export type BlobDigest = z.infer<typeof BlobDigest>;

/** An app's name: a DNS label (RFC 1123), since it is the first label of the app's host. */
export const AppName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'expected a DNS label: lower-case letters, digits and inner hyphens, at most 63')
  .refine((name) => !name.includes('--'), 'must not contain "--", which separates channel and version from the app in a host')
  .brand<'AppName'>();
export type AppName = z.infer<typeof AppName>;

/** Counts 1, 2, 3 for each app; an `integer` of PostgreSQL. */
export const VersionNumber = z.int().min(1).max(2_147_483_647).brand<'VersionNumber'>();
export type VersionNumber = z.infer<typeof VersionNumber>;

/** A lane of an app: a channel, or the preview of one version (`v<number>`). It stands before the app's name in a host. */
export const ChannelName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, 'expected lower-case letters, digits and inner hyphens, at most 32')
  .refine((name) => !name.includes('--'), 'must not contain "--", which separates the channel from the app in a host')
  .brand<'ChannelName'>();
export type ChannelName = z.infer<typeof ChannelName>;

export const NodeName = z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/).brand<'NodeName'>();
export type NodeName = z.infer<typeof NodeName>;

export const DEFAULT_ORG = 'default';
export const DEFAULT_CHANNEL = 'production' as ChannelName;
