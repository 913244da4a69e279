-- The decisions of the policy, and the functions that record a batch and remove what is old.

-- `record` is the whole decision as JSON; the other columns are those that filters and ids are looked up by.
CREATE TABLE vestibule.decisions (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id text NOT NULL UNIQUE,
    at_us bigint NOT NULL,
    tenant text NOT NULL,
    token_id text,
    token_name text,
    route text NOT NULL,
    action text,
    outcome text NOT NULL,
    request_id text,
    task_id text,
    alert_id text,
    record text NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);

CREATE INDEX decisions_time ON vestibule.decisions (at_us, seq);

CREATE INDEX decisions_tenant ON vestibule.decisions (tenant, at_us, seq);

CREATE INDEX decisions_token_id ON vestibule.decisions (token_id, at_us, seq);

CREATE INDEX decisions_token_name ON vestibule.decisions (token_name, at_us, seq);

CREATE INDEX decisions_route ON vestibule.decisions (route, at_us, seq);

CREATE INDEX decisions_action ON vestibule.decisions (action, at_us, seq);

CREATE INDEX decisions_outcome ON vestibule.decisions (outcome, at_us, seq);

CREATE INDEX decisions_request ON vestibule.decisions (request_id) WHERE request_id IS NOT NULL;

CREATE INDEX decisions_task ON vestibule.decisions (task_id) WHERE task_id IS NOT NULL;

CREATE INDEX decisions_alert ON vestibule.decisions (alert_id) WHERE alert_id IS NOT NULL;

CREATE TABLE vestibule.decision_entities (
    entity text NOT NULL,
    at_us bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (entity, at_us, seq)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);

CREATE INDEX decision_entities_seq ON vestibule.decision_entities (seq);

CREATE TABLE vestibule.decision_counts (
    day text NOT NULL,
    tenant text NOT NULL,
    route text NOT NULL,
    entity text NOT NULL,
    action text NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (day, tenant, route, entity, action)
) WITH (fillfactor = 70);

CREATE TABLE vestibule.decision_files (
    file text PRIMARY KEY,
    position bigint NOT NULL,
    at double precision NOT NULL
);

-- Records a batch with its counts, if it goes on where its file was recorded to; returns how far it is recorded then.
-- Counts are changed in one order by all, so that two batches do not wait for each other.
CREATE FUNCTION vestibule.add_decisions(file_ text, start_ bigint, end_ bigint, decisions jsonb, clean jsonb)
RETURNS bigint LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
    recorded bigint;
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    INSERT INTO vestibule.decision_files (file, position, at) VALUES (file_, 0, 0) ON CONFLICT (file) DO NOTHING;
    SELECT f.position INTO recorded FROM vestibule.decision_files f WHERE f.file = file_ FOR UPDATE;
    IF recorded <> start_ THEN
        RETURN recorded;
    END IF;
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(decisions) AS d(decision_id text, at_us bigint, tenant text, token_id text,
            token_name text, route text, action text, outcome text, request_id text, task_id text, alert_id text,
            record text, entities jsonb, counts jsonb)
    ), added AS (
        INSERT INTO vestibule.decisions (decision_id, at_us, tenant, token_id, token_name, route, action, outcome,
            request_id, task_id, alert_id, record)
        SELECT decision_id, at_us, tenant, token_id, token_name, route, action, outcome, request_id, task_id, alert_id,
            record FROM given ON CONFLICT (decision_id) DO NOTHING RETURNING seq, decision_id, at_us
    ), entities AS (
        INSERT INTO vestibule.decision_entities (entity, at_us, seq)
        SELECT e.entity, a.at_us, a.seq FROM added a JOIN given g ON g.decision_id = a.decision_id
            CROSS JOIN LATERAL jsonb_array_elements_text(g.entities) AS e(entity)
    ), tallied AS (
        SELECT c.day, c.tenant, c.route, c.entity, c.action, 1 AS number
        FROM added a JOIN given g ON g.decision_id = a.decision_id CROSS JOIN LATERAL jsonb_to_recordset(g.counts)
            AS c(day text, tenant text, route text, entity text, action text)
        UNION ALL
        SELECT c.day, c.tenant, c.route, c.entity, c.action, c.number FROM jsonb_to_recordset(clean)
            AS c(day text, tenant text, route text, entity text, action text, number bigint)
    )
    INSERT INTO vestibule.decision_counts AS k (day, tenant, route, entity, action, number)
    SELECT day, tenant, route, entity, action, sum(number) FROM tallied
        GROUP BY day, tenant, route, entity, action ORDER BY day, tenant, route, entity, action
    ON CONFLICT (day, tenant, route, entity, action) DO UPDATE SET number = k.number + excluded.number;
    UPDATE vestibule.decision_files f SET position = end_, at = extract(epoch FROM clock_timestamp())
        WHERE f.file = file_;
    RETURN end_;
END
$function$;

CREATE FUNCTION vestibule.sweep_decisions(before_us bigint, at_most integer, before_day text, files_before double precision)
RETURNS integer LANGUAGE plpgsql AS $function$
DECLARE
    removed integer;
BEGIN
    WITH old AS (
        SELECT seq FROM vestibule.decisions WHERE at_us < before_us ORDER BY at_us LIMIT at_most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM vestibule.decisions d USING old WHERE d.seq = old.seq RETURNING d.seq
    ), entities AS (
        DELETE FROM vestibule.decision_entities e USING old WHERE e.seq = old.seq
    )
    SELECT count(*) INTO removed FROM gone;
    DELETE FROM vestibule.decision_counts WHERE day < before_day;
    DELETE FROM vestibule.decision_files WHERE at < files_before AND at > 0;
    RETURN removed;
END
$function$;
