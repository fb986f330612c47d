-- CreateTable
CREATE TABLE "operation" (
    "id" BIGSERIAL NOT NULL,
    "kind" TEXT NOT NULL,
    "app_id" UUID,
    "target" JSONB NOT NULL,
    "caused_by" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'running',
    "steps" JSONB NOT NULL DEFAULT '[]',
    "result" JSONB,
    "failure" JSONB,
    "cancel_asked_by" TEXT,
    "cancel_asked_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),
    "rollout_id" BIGINT,
    "collection_id" UUID,
    "request_id" TEXT,

    CONSTRAINT "operation_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "operation_rollout_id_key" ON "operation"("rollout_id");

-- CreateIndex
CREATE UNIQUE INDEX "operation_collection_id_key" ON "operation"("collection_id");

-- CreateIndex
CREATE UNIQUE INDEX "operation_request_id_key" ON "operation"("request_id");

-- CreateIndex
CREATE INDEX "operation_app_id_id_idx" ON "operation"("app_id", "id");

-- AddForeignKey
ALTER TABLE "operation" ADD CONSTRAINT "operation_app_id_fkey" FOREIGN KEY ("app_id") REFERENCES "app"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "operation" ADD CONSTRAINT "operation_rollout_id_fkey" FOREIGN KEY ("rollout_id") REFERENCES "rollout"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "operation" ADD CONSTRAINT "operation_collection_id_fkey" FOREIGN KEY ("collection_id") REFERENCES "collection"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Rollouts and collections of before are operations too, in the order in which they began.
INSERT INTO "operation" ("kind", "app_id", "target", "caused_by", "created_at", "rollout_id", "collection_id")
SELECT * FROM (
    SELECT CASE r."cause" WHEN 'push' THEN 'deploy' WHEN 'rollback' THEN 'rollback' ELSE 'rollout' END, c."app_id",
        jsonb_build_object('app', a."name", 'channel', c."name", 'version', r."version"), r."caused_by", r."created_at", r."id", NULL::uuid
    FROM "rollout" r JOIN "channel" c ON c."id" = r."channel_id" JOIN "app" a ON a."id" = c."app_id"
    UNION ALL
    SELECT 'collect', NULL, '{}'::jsonb, k."requested_by", k."started_at", NULL, k."id" FROM "collection" k
) AS before ORDER BY "created_at";
