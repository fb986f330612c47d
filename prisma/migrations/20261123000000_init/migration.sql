-- CreateTable
CREATE TABLE "org" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "org_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "app" (
    "id" UUID NOT NULL,
    "org_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "last_version" INTEGER NOT NULL DEFAULT 0,
    "variables_revision" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "app_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "version" (
    "app_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "manifest" TEXT NOT NULL,
    "locked_app" JSON NOT NULL,
    "builds" JSON NOT NULL,
    "pushed_by" TEXT NOT NULL,
    "variables_revision" INTEGER NOT NULL,
    "failure" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "version_pkey" PRIMARY KEY ("app_id","number")
);

-- CreateTable
CREATE TABLE "channel" (
    "id" UUID NOT NULL,
    "app_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "generation" INTEGER NOT NULL,
    "first_generation" INTEGER NOT NULL,
    "serve" JSONB NOT NULL,
    "previous_version" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "channel_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "deployment" (
    "channel_id" UUID NOT NULL,
    "generation" INTEGER NOT NULL,
    "serve" JSONB NOT NULL,
    "cause" TEXT NOT NULL,
    "caused_by" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "deployment_pkey" PRIMARY KEY ("channel_id","generation")
);

-- CreateTable
CREATE TABLE "rollout" (
    "id" BIGSERIAL NOT NULL,
    "channel_id" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "cause" TEXT NOT NULL,
    "caused_by" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'preparing',
    "generation" INTEGER,
    "before" JSONB,
    "failure" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deadline_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "rollout_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "variable" (
    "app_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "secret" BOOLEAN NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "variable_pkey" PRIMARY KEY ("app_id","name")
);

-- CreateTable
CREATE TABLE "token" (
    "name" TEXT NOT NULL,
    "sha256" BYTEA NOT NULL,
    "scopes" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "token_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "node" (
    "name" TEXT NOT NULL,
    "incarnation" TEXT NOT NULL,
    "report" JSONB NOT NULL,
    "report_digest" TEXT NOT NULL,
    "changed_at" TIMESTAMPTZ(3) NOT NULL,
    "last_seen" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "node_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "journal_cursor" (
    "node" TEXT NOT NULL,
    "journal" TEXT NOT NULL,
    "next_seq" BIGINT NOT NULL,

    CONSTRAINT "journal_cursor_pkey" PRIMARY KEY ("node","journal")
);

-- CreateTable
CREATE TABLE "usage_minute" (
    "minute" TIMESTAMPTZ(0) NOT NULL,
    "org_id" UUID NOT NULL,
    "app_id" UUID NOT NULL,
    "channel" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "component" TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    "node" TEXT NOT NULL,
    "requests" BIGINT NOT NULL,
    "errors" BIGINT NOT NULL,
    "wall_ms" DOUBLE PRECISION NOT NULL,
    "cpu_ms" DOUBLE PRECISION NOT NULL,
    "bytes_in" BIGINT NOT NULL,
    "bytes_out" BIGINT NOT NULL,

    CONSTRAINT "usage_minute_pkey" PRIMARY KEY ("app_id","minute","channel","version","component","trigger","node")
);

-- CreateTable
CREATE TABLE "log_line" (
    "id" BIGSERIAL NOT NULL,
    "app_id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "channel" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "component" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "stream" TEXT NOT NULL,
    "line" TEXT NOT NULL,

    CONSTRAINT "log_line_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "id" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "body_digest" TEXT,
    "status" INTEGER,
    "body" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "org_name_key" ON "org"("name");

-- CreateIndex
CREATE INDEX "app_org_id_name_idx" ON "app"("org_id", "name");

-- CreateIndex
CREATE UNIQUE INDEX "app_live_name_key" ON "app"("org_id", "name") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE UNIQUE INDEX "version_app_id_digest_key" ON "version"("app_id", "digest");

-- CreateIndex
CREATE UNIQUE INDEX "channel_app_id_name_key" ON "channel"("app_id", "name");

-- CreateIndex
CREATE INDEX "rollout_channel_id_id_idx" ON "rollout"("channel_id", "id");

-- CreateIndex
CREATE INDEX "rollout_active_idx" ON "rollout"("channel_id") WHERE (ended_at IS NULL);

-- CreateIndex
CREATE UNIQUE INDEX "token_sha256_key" ON "token"("sha256");

-- CreateIndex
CREATE INDEX "usage_minute_org_id_minute_idx" ON "usage_minute"("org_id", "minute");

-- CreateIndex
CREATE INDEX "log_line_app_id_id_idx" ON "log_line"("app_id", "id");

-- CreateIndex
CREATE INDEX "log_line_at_idx" ON "log_line"("at");

-- CreateIndex
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

-- AddForeignKey
ALTER TABLE "app" ADD CONSTRAINT "app_org_id_fkey" FOREIGN KEY ("org_id") REFERENCES "org"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "version" ADD CONSTRAINT "version_app_id_fkey" FOREIGN KEY ("app_id") REFERENCES "app"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "channel" ADD CONSTRAINT "channel_app_id_fkey" FOREIGN KEY ("app_id") REFERENCES "app"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deployment" ADD CONSTRAINT "deployment_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "rollout" ADD CONSTRAINT "rollout_channel_id_fkey" FOREIGN KEY ("channel_id") REFERENCES "channel"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "variable" ADD CONSTRAINT "variable_app_id_fkey" FOREIGN KEY ("app_id") REFERENCES "app"("id") ON DELETE RESTRICT ON UPDATE CASCADE;



-- The organisation of everything, until there are several.
INSERT INTO "org" ("id", "name") VALUES ('00000000-0000-7000-8000-000000000001', 'default');
