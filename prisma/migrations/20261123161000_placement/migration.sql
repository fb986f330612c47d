-- CreateTable
CREATE TABLE "channel_stamp" (
    "channel_id" UUID NOT NULL,
    "stamp" BIGINT NOT NULL,

    CONSTRAINT "channel_stamp_pkey" PRIMARY KEY ("channel_id")
);

-- CreateTable
CREATE TABLE "node_stamp" (
    "node" TEXT NOT NULL,
    "stamp" BIGINT NOT NULL,

    CONSTRAINT "node_stamp_pkey" PRIMARY KEY ("node")
);

-- CreateTable
CREATE TABLE "placement" (
    "channel_id" UUID NOT NULL,
    "generation" INTEGER NOT NULL,
    "replicas" JSONB NOT NULL,
    "stamp" BIGINT NOT NULL,

    CONSTRAINT "placement_pkey" PRIMARY KEY ("channel_id")
);

-- CreateTable
CREATE TABLE "placement_home" (
    "state_group" TEXT NOT NULL,
    "node" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "placement_home_pkey" PRIMARY KEY ("state_group")
);

-- CreateTable
CREATE TABLE "placement_lead" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "fleet_id" UUID NOT NULL,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "leader" TEXT,
    "since" TIMESTAMPTZ(3),
    "passed_at" TIMESTAMPTZ(3),
    "fleet" JSONB,
    "summary" JSONB,

    CONSTRAINT "placement_lead_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "channel_scale" (
    "channel_id" UUID NOT NULL,
    "settings" JSONB NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "set_by" TEXT NOT NULL,
    "set_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "channel_scale_pkey" PRIMARY KEY ("channel_id")
);

-- CreateTable
CREATE TABLE "placement_question" (
    "id" UUID NOT NULL,
    "channel_id" UUID NOT NULL,
    "answer" JSONB,
    "asked_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "placement_question_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "channel_stamp_stamp_idx" ON "channel_stamp"("stamp");

-- CreateIndex
CREATE INDEX "node_stamp_stamp_idx" ON "node_stamp"("stamp");

-- CreateIndex
CREATE INDEX "placement_stamp_idx" ON "placement"("stamp");

INSERT INTO "placement_lead" ("fleet_id") VALUES (gen_random_uuid());
INSERT INTO "channel_stamp" SELECT "id", pg_current_xact_id()::text::bigint FROM "channel";
INSERT INTO "node_stamp" SELECT "name", pg_current_xact_id()::text::bigint FROM "node";

-- Whatever changes what nodes are to hold of a channel stamps it with its transaction, in one order, so that two who stamp several never wait for each
-- other in a ring. Who looks for what is new asks for stamps from the oldest transaction on that was under way at the last look.
CREATE FUNCTION whorl_stamp_channels(ids UUID[]) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO channel_stamp (channel_id, stamp)
  SELECT id, pg_current_xact_id()::text::bigint FROM (SELECT DISTINCT unnest(ids) AS id) AS changed ORDER BY id
  ON CONFLICT (channel_id) DO UPDATE SET stamp = EXCLUDED.stamp;
  PERFORM pg_notify('whorl', 'stamps');
END $$;

CREATE FUNCTION whorl_channel_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM whorl_stamp_channels(ARRAY[CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END]);
  RETURN NULL;
END $$;

CREATE FUNCTION whorl_of_channel_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM whorl_stamp_channels(ARRAY[CASE TG_OP WHEN 'DELETE' THEN OLD.channel_id ELSE NEW.channel_id END]);
  RETURN NULL;
END $$;

CREATE FUNCTION whorl_app_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM whorl_stamp_channels(ARRAY(SELECT id FROM channel WHERE app_id = NEW.id));
  RETURN NULL;
END $$;

CREATE FUNCTION whorl_of_app_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  PERFORM whorl_stamp_channels(ARRAY(SELECT id FROM channel WHERE app_id = NEW.app_id));
  RETURN NULL;
END $$;

CREATE FUNCTION whorl_node_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO node_stamp (node, stamp)
  VALUES (CASE TG_OP WHEN 'DELETE' THEN OLD.name ELSE NEW.name END, pg_current_xact_id()::text::bigint)
  ON CONFLICT (node) DO UPDATE SET stamp = EXCLUDED.stamp;
  PERFORM pg_notify('whorl', 'stamps');
  RETURN NULL;
END $$;

CREATE TRIGGER whorl_stamp AFTER INSERT OR UPDATE OR DELETE ON channel FOR EACH ROW EXECUTE FUNCTION whorl_channel_changed();
CREATE TRIGGER whorl_stamp AFTER INSERT OR UPDATE OR DELETE ON channel_scale FOR EACH ROW EXECUTE FUNCTION whorl_of_channel_changed();
CREATE TRIGGER whorl_stamp_begun AFTER INSERT ON rollout FOR EACH ROW EXECUTE FUNCTION whorl_of_channel_changed();
CREATE TRIGGER whorl_stamp_moved AFTER UPDATE ON rollout FOR EACH ROW
  WHEN (OLD.phase IS DISTINCT FROM NEW.phase OR OLD.ended_at IS DISTINCT FROM NEW.ended_at) EXECUTE FUNCTION whorl_of_channel_changed();
CREATE TRIGGER whorl_stamp AFTER UPDATE OF variables_revision, deleted_at ON app FOR EACH ROW EXECUTE FUNCTION whorl_app_changed();
CREATE TRIGGER whorl_stamp AFTER INSERT OR UPDATE OF builds, failure ON version_build FOR EACH ROW EXECUTE FUNCTION whorl_of_app_changed();
CREATE TRIGGER whorl_stamp AFTER INSERT OR UPDATE OF report, incarnation OR DELETE ON node FOR EACH ROW EXECUTE FUNCTION whorl_node_changed();
