import { createHash } from 'node:crypto';
import { z } from 'zod';
import { checkEntryPath } from '#contract/bundle/entry-path.js';
import { DEFAULT_BUNDLE_LIMITS, MANIFEST_MAX_BYTES, MANIFEST_NAME } from '#contract/bundle/limits.js';
import { AppName, Digest } from '#contract/ids.js';
import { AppParams } from '../apps/app.schema.js';

const { entries, fileBytes, pathBytes, unpackedBytes } = DEFAULT_BUNDLE_LIMITS;

const FilePath = z.string().transform((path, context) => {
  const checked = checkEntryPath(path, pathBytes);
  if ('refused' in checked || checked.path === '') {
    context.addIssue({ code: 'custom', message: 'refused' in checked ? checked.refused : 'the name is empty' });
    return z.NEVER;
  }
  return checked.path;
});

const EMPTY = `sha256:${createHash('sha256').digest('hex')}`;

export const UploadFile = z
  .object({
    path: FilePath.describe('As it stands in the bundle: `www/index.html`.'),
    digest: Digest,
    bytes: z.int().nonnegative().max(fileBytes),
  })
  .refine(({ digest, bytes }) => (digest === EMPTY) === (bytes === 0), { path: ['bytes'], message: 'is not that of the digest' });

export const UploadRequest = z
  .strictObject({
    manifest: z.string().refine((text) => Buffer.byteLength(text) <= MANIFEST_MAX_BYTES, `has more than the ${MANIFEST_MAX_BYTES} bytes that a manifest may have`).describe('The text of spin.toml.'),
    files: z.array(UploadFile).max(entries).describe('All files of the app but spin.toml.'),
  })
  .superRefine(({ files }, context) => {
    const paths = new Map<string, string>([[MANIFEST_NAME, '']]);
    const sizes = new Map<string, number>();
    for (const [i, { path, digest, bytes }] of files.entries()) {
      if (paths.has(path)) context.addIssue({ code: 'custom', path: ['files', i, 'path'], message: path === MANIFEST_NAME ? 'goes into `manifest`' : 'is listed twice' });
      if ((sizes.get(digest) ?? bytes) !== bytes) context.addIssue({ code: 'custom', path: ['files', i, 'bytes'], message: 'differs from that of another file with this digest' });
      paths.set(path, digest);
      sizes.set(digest, bytes);
    }
    if (files.reduce((sum, { bytes }) => sum + bytes, 0) > unpackedBytes) context.addIssue({ code: 'custom', path: ['files'], message: `have more than ${unpackedBytes} bytes together` });
  });
export type UploadRequest = z.infer<typeof UploadRequest>;

export const UploadParams = AppParams.extend({ upload: z.uuid().describe('Id of the upload.') });

export const FileParams = UploadParams.extend({ digest: Digest.describe('Digest of the file.') });

export const AppendQuery = z.object({ offset: z.coerce.number().int().min(0).default(0).describe('Number of the first byte that is sent, from 0: `received` of the file.') });

export const FileView = z.object({
  digest: Digest,
  bytes: z.int(),
  received: z.int().describe('Bytes that have come; the next one to send.'),
  complete: z.boolean().describe('All have come, and they are those of the digest.'),
});
export type FileView = z.infer<typeof FileView>;

export const UploadView = z.object({
  id: z.uuid(),
  app: AppName,
  missing: z.array(FileView).describe('What is to be sent: each digest once.'),
  expiresAt: z.iso.datetime().describe('It ends then unless it is finished.'),
});
export type UploadView = z.infer<typeof UploadView>;
