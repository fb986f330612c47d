-- AlterTable
ALTER TABLE "channel" ADD COLUMN     "decision" JSONB,
ADD COLUMN     "deleted_at" TIMESTAMPTZ(3),
ADD COLUMN     "freeze" JSONB,
ADD COLUMN     "lock" JSONB,
ADD COLUMN     "revision" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "rule" JSONB;

-- A deleted channel stays, for what it has served; its name is free again.
DROP INDEX "channel_app_id_name_key";
CREATE UNIQUE INDEX "channel_live_name_key" ON "channel"("app_id", "name") WHERE (deleted_at IS NULL);
CREATE INDEX "channel_app_id_name_idx" ON "channel"("app_id", "name");

-- AlterTable
ALTER TABLE "rollout" ADD COLUMN     "forced" JSONB,
ADD COLUMN     "held" JSONB;

-- AlterTable
ALTER TABLE "variable" DROP CONSTRAINT "variable_pkey",
ADD COLUMN     "channel" TEXT NOT NULL DEFAULT '',
ADD CONSTRAINT "variable_pkey" PRIMARY KEY ("app_id", "channel", "name");
