-- CreateTable
CREATE TABLE "authority" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "public_key" BYTEA NOT NULL,
    "certificate" TEXT,
    "cross_certificate" TEXT,
    "sealed_key" TEXT,
    "last_expiry" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "authority_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "node_identity" (
    "node" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "join_token" UUID,
    "joined_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "authority" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "trust_revision" TEXT,
    "trust_seen_at" TIMESTAMPTZ(3),
    "statement_keys" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "removed_at" TIMESTAMPTZ(3),

    CONSTRAINT "node_identity_pkey" PRIMARY KEY ("node")
);

-- CreateTable
CREATE TABLE "denied_key" (
    "key" TEXT NOT NULL,
    "node" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "denied_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "denied_key_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "join_token" (
    "id" UUID NOT NULL,
    "sha256" BYTEA NOT NULL,
    "created_by" TEXT NOT NULL,
    "node" TEXT,
    "replace" BOOLEAN NOT NULL DEFAULT false,
    "max_uses" INTEGER,
    "uses" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "withdrawn_at" TIMESTAMPTZ(3),

    CONSTRAINT "join_token_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "authority_kind_state_idx" ON "authority"("kind", "state");

-- CreateIndex
CREATE UNIQUE INDEX "node_identity_key_key" ON "node_identity"("key");

-- CreateIndex
CREATE INDEX "denied_key_expires_at_idx" ON "denied_key"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "join_token_sha256_key" ON "join_token"("sha256");

-- CreateIndex
CREATE INDEX "join_token_expires_at_idx" ON "join_token"("expires_at");
