-- AlterTable
ALTER TABLE "channel" ADD COLUMN     "key_header" TEXT,
ADD COLUMN     "rollout_settings" JSONB;

-- AlterTable
ALTER TABLE "rollout" ADD COLUMN     "judgement" JSON,
ADD COLUMN     "key_header" TEXT,
ADD COLUMN     "phase" TEXT NOT NULL DEFAULT 'preparing',
ADD COLUMN     "policy" JSONB,
ADD COLUMN     "progress" JSONB,
ADD COLUMN     "steps" JSONB,
ADD COLUMN     "strategy" TEXT NOT NULL DEFAULT 'now',
ADD COLUMN     "verdict" JSONB,
ALTER COLUMN "state" SET DEFAULT 'progressing';

-- CreateTable
CREATE TABLE "rollout_interval" (
    "channel_id" UUID NOT NULL,
    "source" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "taken_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "samples" JSON NOT NULL,

    CONSTRAINT "rollout_interval_pkey" PRIMARY KEY ("channel_id","source","seq")
);

-- One vocabulary: what a rollout is, and where it is. Those that had all requests switched to are at the step after the last of none.
UPDATE "rollout" SET "phase" = CASE WHEN "state" IN ('awaiting-approval', 'preparing', 'switching') THEN "state" WHEN "generation" IS NOT NULL THEN 'switching' ELSE 'preparing' END;
UPDATE "rollout" SET "failure" = jsonb_build_object('code', 'API_ROLLOUT_SUPERSEDED', 'message', 'a later rollout went ahead') WHERE "state" = 'superseded' AND "failure" IS NULL;
UPDATE "rollout" SET "progress" = jsonb_build_object(
    'state', CASE "state" WHEN 'switching' THEN 'progressing' ELSE 'promoted' END, 'strategy', jsonb_build_object('kind', 'now'), 'index', 0,
    'askedMs', floor(extract(epoch FROM "created_at") * 1000), 'servedMs', NULL, 'pausedMs', NULL, 'approvedBy', NULL, 'probed', false,
    'lastMs', floor(extract(epoch FROM "created_at") * 1000), 'reason', NULL)
WHERE "state" IN ('switching', 'done');
UPDATE "rollout" SET "state" = CASE "state"
    WHEN 'awaiting-approval' THEN 'paused' WHEN 'preparing' THEN 'progressing' WHEN 'switching' THEN 'progressing'
    WHEN 'done' THEN 'promoted' WHEN 'failed' THEN 'rolled_back' ELSE 'aborted' END;
