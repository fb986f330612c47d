-- Repositories of the OCI registry.
CREATE TABLE "repository" (
    "id" UUID NOT NULL,
    "org_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "repository_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "repository_manifest" (
    "repository_id" UUID NOT NULL,
    "digest" TEXT NOT NULL,
    "media_type" TEXT NOT NULL,
    "artifact_type" TEXT,
    "bytes" BIGINT NOT NULL,
    "subject" TEXT,
    "annotations" JSON,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "repository_manifest_pkey" PRIMARY KEY ("repository_id","digest")
);

CREATE TABLE "repository_manifest_blob" (
    "repository_id" UUID NOT NULL,
    "manifest_digest" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "kind" TEXT NOT NULL,

    CONSTRAINT "repository_manifest_blob_pkey" PRIMARY KEY ("repository_id","manifest_digest","digest","kind")
);

CREATE TABLE "repository_blob" (
    "repository_id" UUID NOT NULL,
    "digest" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "repository_blob_pkey" PRIMARY KEY ("repository_id","digest")
);

-- The name is collated by bytes: the order of listings in the distribution specification.
CREATE TABLE "repository_tag" (
    "repository_id" UUID NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "manifest_digest" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "repository_tag_pkey" PRIMARY KEY ("repository_id","name")
);

CREATE TABLE "repository_upload" (
    "id" UUID NOT NULL,
    "repository_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "repository_upload_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "repository_org_id_name_key" ON "repository"("org_id", "name");

-- CreateIndex
CREATE INDEX "repository_manifest_repository_id_subject_idx" ON "repository_manifest"("repository_id", "subject");

-- CreateIndex
CREATE INDEX "repository_manifest_digest_idx" ON "repository_manifest"("digest");

-- CreateIndex
CREATE INDEX "repository_manifest_blob_digest_repository_id_idx" ON "repository_manifest_blob"("digest", "repository_id");

-- CreateIndex
CREATE INDEX "repository_blob_digest_idx" ON "repository_blob"("digest");

-- CreateIndex
CREATE INDEX "repository_tag_repository_id_manifest_digest_idx" ON "repository_tag"("repository_id", "manifest_digest");

-- CreateIndex
CREATE INDEX "repository_upload_used_at_idx" ON "repository_upload"("used_at");

-- AddForeignKey
ALTER TABLE "repository" ADD CONSTRAINT "repository_org_id_fkey" FOREIGN KEY ("org_id") REFERENCES "org"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "repository_manifest" ADD CONSTRAINT "repository_manifest_repository_id_fkey" FOREIGN KEY ("repository_id") REFERENCES "repository"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "repository_manifest_blob" ADD CONSTRAINT "repository_manifest_blob_repository_id_manifest_digest_fkey" FOREIGN KEY ("repository_id", "manifest_digest") REFERENCES "repository_manifest"("repository_id", "digest") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "repository_blob" ADD CONSTRAINT "repository_blob_repository_id_fkey" FOREIGN KEY ("repository_id") REFERENCES "repository"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "repository_tag" ADD CONSTRAINT "repository_tag_repository_id_fkey" FOREIGN KEY ("repository_id") REFERENCES "repository"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "repository_tag" ADD CONSTRAINT "repository_tag_repository_id_manifest_digest_fkey" FOREIGN KEY ("repository_id", "manifest_digest") REFERENCES "repository_manifest"("repository_id", "digest") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "repository_upload" ADD CONSTRAINT "repository_upload_repository_id_fkey" FOREIGN KEY ("repository_id") REFERENCES "repository"("id") ON DELETE CASCADE ON UPDATE CASCADE;
