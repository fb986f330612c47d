-- CreateTable
CREATE TABLE "variable_revision" (
    "app_id" UUID NOT NULL,
    "revision" INTEGER NOT NULL,
    "values" TEXT NOT NULL,
    "caused_by" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "variable_revision_pkey" PRIMARY KEY ("app_id","revision")
);

-- AddForeignKey
ALTER TABLE "variable_revision" ADD CONSTRAINT "variable_revision_app_id_fkey" FOREIGN KEY ("app_id") REFERENCES "app"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AlterTable
ALTER TABLE "deployment" ADD COLUMN     "rollout_id" BIGINT,
ADD COLUMN     "variables_revision" INTEGER,
ADD COLUMN     "variables_until" INTEGER;

-- AlterTable
ALTER TABLE "rollout" ADD COLUMN     "keep_variables" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "restored" JSONB;
