-- What is wanted of a node decides where channels are, as what it says of itself does.
CREATE TRIGGER whorl_stamp_wanted AFTER UPDATE OF wanted ON node FOR EACH ROW WHEN (OLD.wanted IS DISTINCT FROM NEW.wanted) EXECUTE FUNCTION whorl_node_changed();
