-- AlterTable
ALTER TABLE "channel" ADD COLUMN     "shadow" JSONB;

-- AlterTable
ALTER TABLE "rollout" ADD COLUMN     "shadow" JSONB;

-- AlterTable
ALTER TABLE "rollout_interval" ADD COLUMN     "shadow" JSON;
