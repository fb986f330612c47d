-- What an upload has come to counts for its organisation's quota.
ALTER TABLE "repository_upload" ADD COLUMN "bytes" BIGINT NOT NULL DEFAULT 0;
