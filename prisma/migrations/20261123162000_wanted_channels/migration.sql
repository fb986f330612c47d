CREATE TABLE "channel_wanted" (
    "channel_id" UUID NOT NULL,
    "node" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "channel_wanted_pkey" PRIMARY KEY ("channel_id")
);

-- Who decides where channels are looks at those that were stamped.
CREATE TRIGGER whorl_stamp AFTER INSERT OR UPDATE OF at ON channel_wanted FOR EACH ROW EXECUTE FUNCTION whorl_of_channel_changed();
