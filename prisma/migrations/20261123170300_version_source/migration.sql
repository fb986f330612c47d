-- AlterTable
ALTER TABLE "version" ADD COLUMN     "source" JSONB;
