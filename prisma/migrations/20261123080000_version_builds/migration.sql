-- A version has a build for each version of the engine that nodes run.
CREATE TABLE "version_build" (
    "app_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "engine" TEXT NOT NULL,
    "builds" JSON,
    "failure" JSONB,
    "retry_at" TIMESTAMPTZ(3),

    CONSTRAINT "version_build_pkey" PRIMARY KEY ("app_id","number","engine")
);

-- AddForeignKey
ALTER TABLE "version_build" ADD CONSTRAINT "version_build_app_id_number_fkey" FOREIGN KEY ("app_id", "number") REFERENCES "version"("app_id", "number") ON DELETE RESTRICT ON UPDATE CASCADE;

-- An app without components has nothing that would name the engine: it is taken for the one of that time.
INSERT INTO "version_build" ("app_id", "number", "engine", "builds")
SELECT "app_id", "number", COALESCE((SELECT value->>'engine' FROM json_each("builds") LIMIT 1), '3'), "builds" FROM "version";

-- AlterTable
ALTER TABLE "version" DROP COLUMN "builds";
