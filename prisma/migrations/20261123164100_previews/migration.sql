-- AlterTable
ALTER TABLE "app" ADD COLUMN     "previews" TEXT NOT NULL DEFAULT 'open';
