-- What people filter tasks by, the attempts of each, and how many there are in each state.

-- `history` has the last attempts: number, worker, start, end and cause of each. They are numbered over all retries by
-- people: `earlier_attempts` is the last number before the last retry. `events` has what happened beside them: who
-- retried, cancelled or dropped it, the schedule that it came from, and that its result was written.
ALTER TABLE vestibule.tasks
    ADD COLUMN request_id text,
    ADD COLUMN token_id text,
    ADD COLUMN token_name text,
    ADD COLUMN key_digest text,
    ADD COLUMN cause text,
    ADD COLUMN history jsonb,
    ADD COLUMN events jsonb,
    ADD COLUMN earlier_attempts integer NOT NULL DEFAULT 0;

DROP INDEX vestibule.tasks_dead;

DROP INDEX vestibule.tasks_tenant;

-- In the order of an expression, which the primary key is not in: the planner takes it for a filter that few tasks meet,
-- and reads the whole table.
CREATE INDEX tasks_tenant_processor ON vestibule.tasks (tenant, processor, (seq + 0));

CREATE INDEX tasks_token ON vestibule.tasks (token_id, (seq + 0)) WHERE token_id IS NOT NULL;

CREATE INDEX tasks_key ON vestibule.tasks (key_digest, (seq + 0)) WHERE key_digest IS NOT NULL;

CREATE INDEX tasks_cause ON vestibule.tasks (cause, (seq + 0)) WHERE cause IS NOT NULL;

CREATE INDEX tasks_tenant_cause ON vestibule.tasks (tenant, cause, (seq + 0)) WHERE cause IS NOT NULL;

-- A task that is accepted and succeeds is in neither of the first two.
CREATE INDEX tasks_rare ON vestibule.tasks (state, (seq + 0)) WHERE state NOT IN ('queued', 'succeeded');

CREATE INDEX tasks_tenant_rare ON vestibule.tasks (tenant, state, (seq + 0)) WHERE state NOT IN ('queued', 'succeeded');

CREATE INDEX tasks_request ON vestibule.tasks (substr(request_id, 1, 8)) WHERE request_id IS NOT NULL;

-- Empty but for tasks that wait outside the queue: for their time, or because they are paused.
CREATE INDEX tasks_unsent ON vestibule.tasks (processor, priority, due_at)
    WHERE sent_at IS NULL AND due_at IS NOT NULL;

CREATE TABLE vestibule.task_counts (
    tenant text NOT NULL,
    processor text NOT NULL,
    state text NOT NULL,
    tasks bigint NOT NULL,
    PRIMARY KEY (tenant, processor, state)
);

-- Each change of a task adds rows here and updates none, so transactions neither wait for each other nor deadlock. One
-- of the services adds them up to the counts now and then.
CREATE TABLE vestibule.task_count_changes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    processor text NOT NULL,
    state text NOT NULL,
    tasks integer NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE FUNCTION vestibule.count_task() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO vestibule.task_count_changes (tenant, processor, state, tasks)
            VALUES (OLD.tenant, OLD.processor, OLD.state, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO vestibule.task_count_changes (tenant, processor, state, tasks)
            VALUES (NEW.tenant, NEW.processor, NEW.state, 1);
    END IF;
    RETURN NULL;
END
$function$;

CREATE TRIGGER task_counted AFTER INSERT OR DELETE ON vestibule.tasks
    FOR EACH ROW EXECUTE FUNCTION vestibule.count_task();

CREATE TRIGGER task_recounted AFTER UPDATE OF state ON vestibule.tasks
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION vestibule.count_task();

INSERT INTO vestibule.task_counts (tenant, processor, state, tasks)
    SELECT tenant, processor, state, count(*) FROM vestibule.tasks GROUP BY tenant, processor, state;

CREATE FUNCTION vestibule.add_up_task_counts() RETURNS void
LANGUAGE plpgsql AS $function$
BEGIN
    IF NOT pg_try_advisory_xact_lock(30309, 2) THEN
        RETURN;
    END IF;
    WITH added AS (
        DELETE FROM vestibule.task_count_changes WHERE number IN (
            SELECT number FROM vestibule.task_count_changes ORDER BY number LIMIT 100000
        ) RETURNING tenant, processor, state, tasks
    )
    INSERT INTO vestibule.task_counts AS c (tenant, processor, state, tasks)
        SELECT tenant, processor, state, sum(tasks) FROM added GROUP BY tenant, processor, state
        ON CONFLICT (tenant, processor, state) DO UPDATE SET tasks = c.tasks + excluded.tasks;
    DELETE FROM vestibule.task_counts WHERE tasks = 0;
END
$function$;

-- The number of a task that was submitted before, while the next one was not. Tasks are numbered in the order of their
-- submission, as far as clocks agree.
CREATE FUNCTION vestibule.last_submitted(before double precision) RETURNS bigint
LANGUAGE plpgsql STABLE AS $function$
DECLARE
    low bigint := coalesce((SELECT min(seq) FROM vestibule.tasks), 0) - 1;
    high bigint := coalesce((SELECT max(seq) FROM vestibule.tasks), 0);
    middle bigint;
    found record;
BEGIN
    WHILE low < high LOOP
        middle := low + (high - low + 1) / 2;
        SELECT seq, submitted_at INTO found FROM vestibule.tasks WHERE seq >= middle ORDER BY seq LIMIT 1;
        IF found.submitted_at <= before THEN
            low := found.seq;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END
$function$;

-- Two that accept the same unique task at the same time take turns; all others do not wait for each other.
CREATE OR REPLACE FUNCTION vestibule.accept_tasks(tasks jsonb) RETURNS TABLE (task_id text, is_new boolean)
LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
    item record;
    same text;
    moment double precision;
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    IF jsonb_path_exists(tasks, '$[*].unique_keys[*]') THEN
        PERFORM pg_advisory_xact_lock(30309, 1);
    END IF;
    moment := extract(epoch FROM clock_timestamp());
    FOR item IN SELECT * FROM jsonb_to_recordset(tasks) AS t(task_id text, tenant text, processor text,
        priority text, data text, submitted_at double precision, sent_at double precision,
        due_in_s double precision, unique_keys jsonb, unique_for_s double precision, request_id text,
        token_id text, token_name text, key_digest text, event jsonb)
    LOOP
        same := NULL;
        IF item.unique_keys ->> 0 IS NOT NULL THEN
            SELECT t.task_id INTO same FROM vestibule.tasks t
                WHERE t.unique_key = ANY (ARRAY(SELECT jsonb_array_elements_text(item.unique_keys)))
                AND t.tenant = item.tenant AND t.unique_until > moment LIMIT 1;
        END IF;
        IF same IS NOT NULL THEN
            RETURN QUERY SELECT same, false;
            CONTINUE;
        END IF;
        INSERT INTO vestibule.tasks (task_id, tenant, processor, priority, state, attempts, data, submitted_at,
            sent_at, due_at, unique_key, unique_until, request_id, token_id, token_name, key_digest, events)
        VALUES (item.task_id, item.tenant, item.processor, item.priority, 'queued', 0, item.data,
            item.submitted_at, item.sent_at, moment + item.due_in_s, item.unique_keys ->> 0,
            moment + item.unique_for_s, item.request_id, item.token_id, item.token_name, item.key_digest,
            CASE WHEN jsonb_typeof(item.event) = 'array' THEN jsonb_build_array(item.event) END)
        ON CONFLICT (task_id) DO NOTHING;
        RETURN QUERY SELECT item.task_id, FOUND;
    END LOOP;
END
$function$;

CREATE OR REPLACE FUNCTION vestibule.change_tasks(changes jsonb) RETURNS SETOF boolean
LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
    item record;
    moment double precision := extract(epoch FROM clock_timestamp());
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    FOR item IN SELECT * FROM jsonb_to_recordset(changes) AS c(task_id text, from_states text[], tenant text,
        state text, due_in_s double precision, sent_at double precision, attempts integer, error text, result text,
        started_at double precision, finished_at double precision, keep_data boolean,
        keep_result_s double precision, keep_s double precision, cause text, attempt jsonb, event jsonb)
    LOOP
        UPDATE vestibule.tasks t SET state = item.state, due_at = moment + item.due_in_s, sent_at = item.sent_at,
            attempts = coalesce(item.attempts, t.attempts), error = item.error, cause = item.cause,
            result = item.result,
            started_at = coalesce(item.started_at, t.started_at), finished_at = item.finished_at,
            data = CASE WHEN item.keep_data THEN t.data END,
            result_until = moment + item.keep_result_s, forget_at = moment + item.keep_s,
            unique_until = CASE WHEN item.due_in_s IS NULL AND t.unique_until < moment THEN NULL
                ELSE t.unique_until END,
            earlier_attempts = CASE WHEN item.attempts = 0 THEN coalesce((t.history -> -1 ->> 0)::integer, 0)
                ELSE t.earlier_attempts END,
            history = CASE WHEN jsonb_typeof(item.attempt) = 'object' THEN
                CASE WHEN jsonb_array_length(t.history) >= 20 THEN t.history - 0 ELSE coalesce(t.history, '[]') END
                || jsonb_build_array(jsonb_build_array(
                    t.earlier_attempts + coalesce((item.attempt ->> 'number')::integer, item.attempts, t.attempts + 1),
                    item.attempt -> 'worker', item.attempt -> 'started_at', item.attempt -> 'ended_at',
                    item.attempt -> 'cause'))
                ELSE t.history END,
            events = CASE WHEN jsonb_typeof(item.event) = 'array' THEN
                CASE WHEN jsonb_array_length(t.events) >= 20 THEN t.events - 1 ELSE coalesce(t.events, '[]') END
                || jsonb_build_array(item.event)
                ELSE t.events END
        WHERE t.task_id = item.task_id AND t.state = ANY (item.from_states)
            AND (item.tenant IS NULL OR t.tenant = item.tenant) AND (item.due_in_s IS NULL OR t.data IS NOT NULL);
        RETURN NEXT FOUND;
    END LOOP;
END
$function$;
