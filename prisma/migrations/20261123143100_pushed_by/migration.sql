-- AlterTable
ALTER TABLE "repository_tag" ADD COLUMN     "pushed_by" TEXT;

-- AlterTable
ALTER TABLE "tag_push" ADD COLUMN     "pushed_by" TEXT;
