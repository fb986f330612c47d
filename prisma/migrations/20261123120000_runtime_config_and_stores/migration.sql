-- Runtime configuration of the operator, in layers.
CREATE TABLE "runtime_config" (
    "place" TEXT NOT NULL,
    "app_id" UUID,
    "config" TEXT NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "runtime_config_pkey" PRIMARY KEY ("place")
);

-- Stores, which outlive apps, and the labels that lead to them.
CREATE TABLE "store" (
    "id" UUID NOT NULL,
    "org_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "settings" TEXT,
    "file" TEXT,
    "app" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "store_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "store_link" (
    "app_id" UUID NOT NULL,
    "channel" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "store_id" UUID NOT NULL,

    CONSTRAINT "store_link_pkey" PRIMARY KEY ("app_id","channel","kind","label")
);

-- What nodes are asked to do with a store, and what they answer.
CREATE TABLE "store_request" (
    "id" UUID NOT NULL,
    "node" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "answer" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deadline_at" TIMESTAMPTZ(3),
    "taken_at" TIMESTAMPTZ(3),

    CONSTRAINT "store_request_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "store_live_name_key" ON "store"("org_id", "name") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "store_org_id_name_idx" ON "store"("org_id", "name");

-- CreateIndex
CREATE INDEX "store_link_store_id_idx" ON "store_link"("store_id");

-- CreateIndex
CREATE INDEX "store_request_node_created_at_idx" ON "store_request"("node", "created_at");

-- AddForeignKey
ALTER TABLE "runtime_config" ADD CONSTRAINT "runtime_config_app_id_fkey" FOREIGN KEY ("app_id") REFERENCES "app"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "store" ADD CONSTRAINT "store_org_id_fkey" FOREIGN KEY ("org_id") REFERENCES "org"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "store_link" ADD CONSTRAINT "store_link_app_id_fkey" FOREIGN KEY ("app_id") REFERENCES "app"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "store_link" ADD CONSTRAINT "store_link_store_id_fkey" FOREIGN KEY ("store_id") REFERENCES "store"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- The files that apps have had by the label `default`, under names of their own.
INSERT INTO "store" ("id", "org_id", "name", "kind", "type", "file", "app")
SELECT gen_random_uuid(), d.org_id, d.app || '.' || d.kind, d.kind, 'spin', d.app || '/' || d.kind || '/default.sqlite', d.app
FROM (
  SELECT DISTINCT a.org_id, a.name AS app, k.kind
  FROM "version" v JOIN "app" a ON a.id = v.app_id
  CROSS JOIN LATERAL json_array_elements(v.locked_app->'components') c
  CROSS JOIN LATERAL (VALUES ('key-value', c->'keyValueStores'), ('sqlite', c->'sqliteDatabases')) k (kind, labels)
  CROSS JOIN LATERAL json_array_elements_text(k.labels) l
  WHERE l = 'default'
) d;
