-- AlterTable
ALTER TABLE "node" ADD COLUMN     "drain" JSONB,
ADD COLUMN     "gone_at" TIMESTAMPTZ(3),
ADD COLUMN     "reported" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "sequence" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "start_count" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "wanted" TEXT NOT NULL DEFAULT 'active',
ADD COLUMN     "wanted_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE UNLOGGED TABLE "node_load" (
    "node" TEXT NOT NULL,
    "start_count" INTEGER NOT NULL,
    "sequence" BIGINT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "span_ms" DOUBLE PRECISION NOT NULL,
    "channels" JSONB NOT NULL,

    CONSTRAINT "node_load_pkey" PRIMARY KEY ("node")
);
