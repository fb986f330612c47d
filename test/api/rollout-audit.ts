/**
 * What must hold of rollouts whenever a transaction commits, as triggers in the database itself: whoever writes, from whichever process, however it dies. A change that breaks a rule is noted
 * in `audit_violation` with what it was. `audit_chaos.every` other than 0 ends the connection of whoever makes each so-many-th write, as when its process dies there: each write before it in
 * the transaction is gone with it.
 */
export const AUDIT_SQL = `
CREATE TABLE audit_violation (at timestamptz DEFAULT clock_timestamp(), rule text, detail jsonb);
CREATE TABLE audit_chaos (every int NOT NULL);
INSERT INTO audit_chaos VALUES (0);
CREATE SEQUENCE audit_write;
CREATE SEQUENCE audit_death;

CREATE FUNCTION audit_die() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE every int := (SELECT c.every FROM audit_chaos c);
BEGIN
  IF every > 0 AND nextval('audit_write') % every = 0 THEN
    PERFORM nextval('audit_death'), pg_terminate_backend(pg_backend_pid());
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION audit_channel() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE total numeric := (SELECT coalesce(sum((s->>'percent')::numeric), 100) FROM jsonb_array_elements(NEW.serve) s);
BEGIN
  IF NEW.generation NOT IN (OLD.generation, OLD.generation + 1) THEN
    INSERT INTO audit_violation (rule, detail) VALUES ('generations go on one by one', jsonb_build_object('before', OLD.generation, 'after', NEW.generation));
  END IF;
  IF NEW.generation = OLD.generation AND NEW.serve <> OLD.serve THEN
    INSERT INTO audit_violation (rule, detail) VALUES ('each change of what is served is a generation', jsonb_build_object('before', OLD.serve, 'after', NEW.serve));
  END IF;
  IF total <> 100 OR jsonb_array_length(NEW.serve) > 2 THEN
    INSERT INTO audit_violation (rule, detail) VALUES ('one or two versions share all requests', NEW.serve);
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION audit_rollout() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before int := coalesce(jsonb_array_length(CASE WHEN jsonb_typeof(OLD.steps) = 'array' THEN OLD.steps END), 0);
DECLARE after int := coalesce(jsonb_array_length(CASE WHEN jsonb_typeof(NEW.steps) = 'array' THEN NEW.steps END), 0);
BEGIN
  IF OLD.ended_at IS NOT NULL AND (NEW.ended_at IS NULL OR NEW.state <> OLD.state OR NEW.generation IS DISTINCT FROM OLD.generation) THEN
    INSERT INTO audit_violation (rule, detail) VALUES ('what has ended stays as it ended', jsonb_build_object('rollout', NEW.id, 'before', OLD.state, 'after', NEW.state));
  END IF;
  IF (NEW.ended_at IS NULL) <> (NEW.state IN ('progressing', 'paused')) THEN
    INSERT INTO audit_violation (rule, detail) VALUES ('a state is an end or is none', jsonb_build_object('rollout', NEW.id, 'state', NEW.state));
  END IF;
  IF after NOT IN (before, before + 1) OR (after > before AND (NEW.steps->(after - 1)->>'step')::int <> before) THEN
    INSERT INTO audit_violation (rule, detail) VALUES ('steps are taken one by one', jsonb_build_object('rollout', NEW.id, 'before', OLD.steps, 'after', NEW.steps));
  END IF;
  RETURN NULL;
END $$;

-- As it is when the transaction commits.
CREATE FUNCTION audit_commit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  r rollout;
  c channel;
BEGIN
  SELECT * INTO c FROM channel WHERE id = (to_jsonb(NEW)->>(CASE TG_TABLE_NAME WHEN 'channel' THEN 'id' ELSE 'channel_id' END))::uuid;
  IF jsonb_array_length(c.serve) = 2 AND NOT EXISTS (SELECT FROM rollout o WHERE o.channel_id = c.id AND o.ended_at IS NULL AND o.version = (c.serve->1->>'version')::int) THEN
    INSERT INTO audit_violation (rule, detail) VALUES ('a share belongs to a rollout', jsonb_build_object('serve', c.serve));
  END IF;
  IF TG_TABLE_NAME = 'rollout' THEN
    SELECT * INTO r FROM rollout WHERE id = NEW.id;
    IF r.state IN ('rolled_back', 'aborted') AND r.generation = c.generation AND c.serve <> r.before->'serve' THEN
      INSERT INTO audit_violation (rule, detail) VALUES ('what was rolled back is not served', jsonb_build_object('rollout', r.id, 'version', r.version, 'serve', c.serve));
    END IF;
  END IF;
  IF (SELECT count(*) FROM deployment d WHERE d.channel_id = c.id AND d.generation = c.generation AND d.serve = c.serve) <> 1 AND c.generation > c.first_generation THEN
    INSERT INTO audit_violation (rule, detail) VALUES ('what is served stands in the history', jsonb_build_object('generation', c.generation, 'serve', c.serve));
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_channel AFTER UPDATE ON channel FOR EACH ROW EXECUTE FUNCTION audit_channel();
CREATE TRIGGER audit_rollout AFTER UPDATE ON rollout FOR EACH ROW EXECUTE FUNCTION audit_rollout();
CREATE CONSTRAINT TRIGGER audit_commit AFTER INSERT OR UPDATE ON channel DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_commit();
CREATE CONSTRAINT TRIGGER audit_commit AFTER INSERT OR UPDATE ON rollout DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_commit();
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['app', 'version', 'version_build', 'channel', 'deployment', 'rollout', 'rollout_interval', 'operation', 'node'] LOOP
    EXECUTE format('CREATE TRIGGER audit_zdie AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_die()', t);
  END LOOP;
END $$;
CREATE CONSTRAINT TRIGGER audit_zdie_commit AFTER INSERT OR UPDATE ON rollout DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_die();
`;
