-- AlterTable
ALTER TABLE "channel" ADD COLUMN     "policy" JSONB;

-- AlterTable
ALTER TABLE "rollout" ADD COLUMN     "asks" JSONB,
ADD COLUMN     "decided_at" TIMESTAMPTZ(3),
ADD COLUMN     "decided_by" TEXT;

-- AlterTable
ALTER TABLE "version" ADD COLUMN     "trust" JSONB;

-- CreateTable
CREATE TABLE "trust_policy" (
    "org_id" UUID NOT NULL,
    "policy" JSONB NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "updated_by" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "trust_policy_pkey" PRIMARY KEY ("org_id")
);

-- AddForeignKey
ALTER TABLE "trust_policy" ADD CONSTRAINT "trust_policy_org_id_fkey" FOREIGN KEY ("org_id") REFERENCES "org"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
