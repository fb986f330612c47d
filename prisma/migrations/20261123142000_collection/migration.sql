-- AlterTable
ALTER TABLE "app" ADD COLUMN     "keep_days" INTEGER,
ADD COLUMN     "keep_versions" INTEGER;

-- AlterTable
ALTER TABLE "version" ADD COLUMN     "collected_at" TIMESTAMPTZ(3),
ADD COLUMN     "noted" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "pinned_at" TIMESTAMPTZ(3),
ADD COLUMN     "used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- AlterTable
ALTER TABLE "version_build" ADD COLUMN     "noted" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "platform" (
    "id" UUID NOT NULL,

    CONSTRAINT "platform_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "version_blob" (
    "app_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "engine" TEXT NOT NULL,
    "digest" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT,

    CONSTRAINT "version_blob_pkey" PRIMARY KEY ("app_id","number","engine","digest")
);

-- CreateTable
CREATE TABLE "upload" (
    "id" UUID NOT NULL,
    "org_id" UUID NOT NULL,
    "app" TEXT NOT NULL,
    "manifest" TEXT NOT NULL,
    "files" JSON NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "upload_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "upload_file" (
    "upload_id" UUID NOT NULL,
    "digest" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT NOT NULL,
    "complete" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "upload_file_pkey" PRIMARY KEY ("upload_id","digest")
);

-- CreateTable
CREATE TABLE "collection" (
    "id" UUID NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'running',
    "dry_run" BOOLEAN NOT NULL,
    "requested_by" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),
    "report" JSON,
    "failure" JSONB,

    CONSTRAINT "collection_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "storage_sample" (
    "org_id" UUID NOT NULL,
    "at" TIMESTAMPTZ(0) NOT NULL,
    "versions_bytes" BIGINT NOT NULL,
    "repositories_bytes" BIGINT NOT NULL,
    "uploads_bytes" BIGINT NOT NULL,
    "total_bytes" BIGINT NOT NULL,

    CONSTRAINT "storage_sample_pkey" PRIMARY KEY ("org_id","at")
);

-- CreateIndex
CREATE INDEX "version_blob_digest_idx" ON "version_blob"("digest");

-- CreateIndex
CREATE INDEX "upload_expires_at_idx" ON "upload"("expires_at");

-- CreateIndex
CREATE INDEX "upload_file_digest_idx" ON "upload_file"("digest");

-- CreateIndex
CREATE INDEX "collection_started_at_idx" ON "collection"("started_at");

-- Versions of before were last pushed when they were made.
UPDATE "version" SET "used_at" = "created_at";

-- Not those of another database: the collector compares it with what the store says.
INSERT INTO "platform" ("id") VALUES (gen_random_uuid());
