-- AlterTable
ALTER TABLE "idempotency_key" ADD COLUMN     "claimed_until" TIMESTAMPTZ(3),
ADD COLUMN     "headers" JSONB;

-- What has no answer yet belongs to processes of before, which do not renew it.
UPDATE "idempotency_key" SET "claimed_until" = "created_at" + interval '15 minutes' WHERE "status" IS NULL;
