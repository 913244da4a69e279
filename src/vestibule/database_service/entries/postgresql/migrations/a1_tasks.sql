-- The ledger of tasks, and the functions that accept tasks and take their steps, a batch in one transaction.

-- `seq` is the order of acceptance. `due_at` is set as long as a task is unfinished; `sent_at` as long as its message
-- should be in the queue. A task whose result has expired keeps its row without the result until `forget_at`.
CREATE TABLE vestibule.tasks (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id text NOT NULL UNIQUE,
    tenant text NOT NULL,
    processor text NOT NULL,
    priority text NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    error text,
    data text,
    result text,
    submitted_at double precision NOT NULL,
    sent_at double precision,
    due_at double precision,
    started_at double precision,
    finished_at double precision,
    result_until double precision,
    forget_at double precision,
    unique_key text,
    unique_until double precision
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX tasks_to_send ON vestibule.tasks (due_at) WHERE due_at IS NOT NULL AND sent_at IS NULL;

CREATE INDEX tasks_sent ON vestibule.tasks (due_at) WHERE due_at IS NOT NULL AND sent_at IS NOT NULL;

CREATE INDEX tasks_dead ON vestibule.tasks (state) WHERE state = 'dead';

CREATE INDEX tasks_tenant ON vestibule.tasks (tenant, seq);

CREATE INDEX tasks_unique ON vestibule.tasks (unique_key) WHERE unique_key IS NOT NULL;

CREATE INDEX tasks_expiry ON vestibule.tasks (result_until) WHERE result_until > 0;

CREATE INDEX tasks_end ON vestibule.tasks (forget_at) WHERE forget_at IS NOT NULL;

-- Two that accept the same unique task at the same time take turns; all others do not wait for each other.
CREATE FUNCTION vestibule.accept_tasks(tasks jsonb) RETURNS TABLE (task_id text, is_new boolean)
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
        due_in_s double precision, unique_keys jsonb, unique_for_s double precision)
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
            sent_at, due_at, unique_key, unique_until)
        VALUES (item.task_id, item.tenant, item.processor, item.priority, 'queued', 0, item.data,
            item.submitted_at, item.sent_at, moment + item.due_in_s, item.unique_keys ->> 0,
            moment + item.unique_for_s)
        ON CONFLICT (task_id) DO NOTHING;
        RETURN QUERY SELECT item.task_id, FOUND;
    END LOOP;
END
$function$;

CREATE FUNCTION vestibule.change_tasks(changes jsonb) RETURNS SETOF boolean
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
        keep_result_s double precision, keep_s double precision)
    LOOP
        UPDATE vestibule.tasks t SET state = item.state, due_at = moment + item.due_in_s, sent_at = item.sent_at,
            attempts = coalesce(item.attempts, t.attempts), error = item.error, result = item.result,
            started_at = coalesce(item.started_at, t.started_at), finished_at = item.finished_at,
            data = CASE WHEN item.keep_data THEN t.data END,
            result_until = moment + item.keep_result_s, forget_at = moment + item.keep_s,
            unique_until = CASE WHEN item.due_in_s IS NULL AND t.unique_until < moment THEN NULL
                ELSE t.unique_until END
        WHERE t.task_id = item.task_id AND t.state = ANY (item.from_states)
            AND (item.tenant IS NULL OR t.tenant = item.tenant) AND (item.due_in_s IS NULL OR t.data IS NOT NULL);
        RETURN NEXT FOUND;
    END LOOP;
END
$function$;
