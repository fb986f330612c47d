-- CreateTable
CREATE TABLE "limit_minute" (
    "minute" TIMESTAMPTZ(0) NOT NULL,
    "org_id" UUID NOT NULL,
    "app_id" UUID NOT NULL,
    "channel" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "component" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "node" TEXT NOT NULL,
    "count" BIGINT NOT NULL,

    CONSTRAINT "limit_minute_pkey" PRIMARY KEY ("app_id","minute","channel","version","component","code","node")
);
