-- AlterTable
ALTER TABLE "version" ADD COLUMN     "image_digest" TEXT,
ADD COLUMN     "image_reference" TEXT;

-- CreateTable
CREATE TABLE "deploy_on_push" (
    "channel_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "pattern" TEXT NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "set_by" TEXT NOT NULL,
    "set_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seen_until" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "newest_tag" TEXT,
    "claimed_by" UUID,
    "claimed_until" TIMESTAMPTZ(3),

    CONSTRAINT "deploy_on_push_pkey" PRIMARY KEY ("channel_id")
);

-- CreateTable
CREATE TABLE "tag_push" (
    "id" BIGSERIAL NOT NULL,
    "channel_id" UUID NOT NULL,
    "tag" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "pushed_at" TIMESTAMPTZ(3) NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "version" INTEGER,
    "reason" JSONB,
    "retry_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "tag_push_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "repository_tag_updated_at_idx" ON "repository_tag"("updated_at");

-- CreateIndex
CREATE UNIQUE INDEX "tag_push_channel_id_tag_pushed_at_digest_key" ON "tag_push"("channel_id", "tag", "pushed_at", "digest");

-- CreateIndex
CREATE INDEX "tag_push_pending_idx" ON "tag_push"("channel_id") WHERE (state = 'pending');

-- AddForeignKey
ALTER TABLE "deploy_on_push" ADD CONSTRAINT "deploy_on_push_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tag_push" ADD CONSTRAINT "tag_push_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
