import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { type BlobBytes, FileUploads } from '#contract/file-uploads.js';
import type { AppName, Digest } from '#contract/ids.js';
import { eachAtOnce } from '#platform/each-at-once.js';
import type { Upload } from '#platform/http/upload.js';
import { HoldingsService } from '../collection/holdings.service.js';
import type { PushAnswer } from '../versions/version.schema.js';
import { type VersionCall, VersionsService } from '../versions/versions.service.js';
import { eachOnce, type UploadRecord, UploadRepository } from './upload.repository.js';
import type { FileView, UploadRequest, UploadView } from './upload.schema.js';

/** A client that was interrupted comes back within hours. */
const LIFE_MS = 24 * 60 * 60_000;
const LOOKS_AT_ONCE = 16;

export interface FinishCall extends VersionCall {
  signal: AbortSignal;
}

/**
 * Uploads by digest: a client lists the files of an app, sends those that are missing, and finishes. Missing is what the organisation does
 * not have, even if another one has it: who knows a digest alone must not get at the bytes, nor learn that they are there (docs/adr/0025).
 */
@Injectable()
export class UploadsService {
  constructor(
    private readonly repository: UploadRepository,
    private readonly files: FileUploads,
    private readonly versions: VersionsService,
    private readonly holdings: HoldingsService,
  ) {}

  /** Throws REGISTRY_QUOTA_EXCEEDED when what is missing does not fit. */
  async begin(app: string, { manifest, files }: UploadRequest, createdBy: string): Promise<UploadView> {
    const missing = await this.missingOf(files);
    await this.holdings.requireBytesFree(missing.reduce((sum, { bytes }) => sum + bytes, 0));
    const upload = await this.repository.create({ app, manifest, files, createdBy, lifeMs: LIFE_MS });
    return toView(upload, missing.map((file) => ({ ...file, received: 0, complete: false })));
  }

  /** Throws API_UPLOAD_NOT_FOUND. */
  async get(app: string, id: string): Promise<UploadView> {
    const upload = await this.find(app, id);
    return toView(upload, await this.missing(upload));
  }

  /** How far a file is. Throws API_UPLOAD_NOT_FOUND, API_UPLOAD_FILE_UNKNOWN. */
  async file(app: string, id: string, digest: Digest): Promise<FileView> {
    const { upload, file: found } = await this.repository.findFile(app, id, digest);
    if (!upload) throw notFound(app, id);
    if (!found) throw new WhorlError('API_UPLOAD_FILE_UNKNOWN', `the upload ${id} has no file ${digest}`);
    const file = { digest, bytes: found.bytes };
    const isMissing = !found.complete && (await this.missingOf([file])).length > 0;
    return isMissing ? { ...file, received: await this.files.received(id, digest), complete: false } : { ...file, received: file.bytes, complete: true };
  }

  /**
   * Takes bytes of a file; of a body that ends too early what came stays. Throws as `file` does, API_UPLOAD_OFFSET_WRONG,
   * API_UPLOAD_DIGEST_WRONG, API_REQUEST_ABORTED.
   */
  async append(place: { app: string; id: string; digest: Digest }, offset: number, { body, signal }: Upload): Promise<FileView> {
    const now = await this.file(place.app, place.id, place.digest);
    if (now.complete) return now;
    const file = { digest: now.digest, bytes: now.bytes };
    const received = await this.files.append(place.id, file, offset, body).catch((error: unknown) => {
      if (signal.aborted) throw new WhorlError('API_REQUEST_ABORTED', `the connection ended before all was sent; what came of ${file.digest} is kept`, { cause: error });
      throw error;
    });
    const complete = received === file.bytes;
    if (complete) await this.repository.completeFile(place.id, file.digest);
    return { ...file, received, complete };
  }

  /** Makes a version of it, as a push of a bundle does. Throws API_UPLOAD_NOT_FOUND, API_UPLOAD_INCOMPLETE and what a push throws. */
  async finish(app: string, id: string, { signal, ...call }: FinishCall): Promise<PushAnswer> {
    const upload = await this.find(app, id);
    const missing = await this.missing(upload);
    if (missing.length > 0) {
      const fields = Object.fromEntries(missing.map(({ digest, bytes, received }) => [digest, [`${received} of ${bytes} bytes have come`]]));
      throw new WhorlError('API_UPLOAD_INCOMPLETE', `${missing.length} of the files are missing`, { fields });
    }
    return this.versions.keep(app, await this.files.ingest(upload.manifest, upload.files, signal), call);
  }

  /** Throws API_UPLOAD_NOT_FOUND. */
  async cancel(app: string, id: string): Promise<void> {
    const upload = await this.find(app, id);
    await this.repository.remove(id);
    await this.files.drop(id, upload.files.map(({ digest }) => digest));
  }

  /** Forgets those that ended unfinished; what came for them the collector takes. */
  removeExpired(): Promise<number> {
    return this.repository.removeExpired();
  }

  /** Ids of those that are under way. */
  liveIds(): Promise<string[]> {
    return this.repository.liveIds();
  }

  private async find(app: string, id: string): Promise<UploadRecord> {
    const upload = await this.repository.find(app, id);
    if (!upload) throw notFound(app, id);
    return upload;
  }

  private async missing(upload: UploadRecord): Promise<FileView[]> {
    const missing: FileView[] = [];
    await eachAtOnce(LOOKS_AT_ONCE, await this.missingOf(upload.files), async (file) => {
      missing.push({ ...file, received: await this.files.received(upload.id, file.digest), complete: false });
    });
    return missing;
  }

  /** Each digest once. What the organisation has is looked for in the store as well, and stays there for hours. */
  private async missingOf(files: readonly BlobBytes[]): Promise<BlobBytes[]> {
    // Nobody needs to send nothing.
    const wanted = eachOnce(files).filter(({ bytes }) => bytes > 0);
    const held = await this.holdings.held(wanted.map(({ digest }) => digest));
    const present = await this.files.present([...held]);
    return wanted.filter(({ digest }) => !present.has(digest));
  }
}

const notFound = (app: string, id: string): WhorlError => new WhorlError('API_UPLOAD_NOT_FOUND', `${app} has no upload ${id}, or no longer`);

function toView({ id, app, expiresAt }: UploadRecord, missing: FileView[]): UploadView {
  return { id, app: app as AppName, missing, expiresAt: expiresAt.toISOString() };
}
