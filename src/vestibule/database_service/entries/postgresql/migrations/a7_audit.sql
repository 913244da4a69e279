-- The audit: lines that are chained by their hashes and never change, their reasons, and the function that adds lines.

-- `record` is the whole act as canonical JSON, without its reason; the other columns are those that filters use.
CREATE TABLE vestibule.audit (
    seq bigint PRIMARY KEY,
    previous text NOT NULL,
    hash text NOT NULL,
    record text NOT NULL,
    act_id text NOT NULL,
    outcome text NOT NULL,
    act text NOT NULL,
    at_us bigint NOT NULL,
    tenant text NOT NULL,
    token_id text,
    token_name text,
    UNIQUE (act_id, outcome)
);

CREATE INDEX audit_time ON vestibule.audit (at_us);

CREATE INDEX audit_act ON vestibule.audit (act, seq);

CREATE INDEX audit_tenant ON vestibule.audit (tenant, seq);

CREATE TABLE vestibule.audit_reasons (
    seq bigint PRIMARY KEY,
    reason text NOT NULL,
    salt text NOT NULL,
    tenant text NOT NULL
);

CREATE INDEX audit_reasons_tenant ON vestibule.audit_reasons (tenant, seq);

CREATE FUNCTION vestibule.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    RAISE EXCEPTION 'the audit is append-only';
END
$function$;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vestibule.audit
    FOR EACH STATEMENT EXECUTE FUNCTION vestibule.refuse_audit_change();

-- Adds a line for each act that has none with this outcome, and returns how many. The lock makes one order of all lines:
-- whoever waits for it sees, in the statements that follow, what the one before has committed.
CREATE FUNCTION vestibule.add_audit(records jsonb) RETURNS integer LANGUAGE plpgsql AS $function$
DECLARE
    one record;
    last_seq bigint;
    last_hash text;
    added integer := 0;
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    LOCK TABLE vestibule.audit IN SHARE ROW EXCLUSIVE MODE;
    SELECT a.seq, a.hash INTO last_seq, last_hash FROM vestibule.audit a ORDER BY a.seq DESC LIMIT 1;
    IF last_seq IS NULL THEN
        last_seq := 0;
        last_hash := repeat('0', 64);
    END IF;
    FOR one IN SELECT * FROM jsonb_to_recordset(records) AS r(act_id text, outcome text, act text, tenant text,
        token_id text, token_name text, after text, reason text, at_us bigint, record text, salt text)
    LOOP
        CONTINUE WHEN EXISTS (SELECT 1 FROM vestibule.audit a
            WHERE a.act_id = one.act_id AND a.outcome = one.outcome);
        CONTINUE WHEN one.act = 'policy_changed' AND one.after = (SELECT a.record::jsonb ->> 'after'
            FROM vestibule.audit a WHERE a.act = one.act ORDER BY a.seq DESC LIMIT 1);
        INSERT INTO vestibule.audit (seq, previous, hash, record, act_id, outcome, act, at_us, tenant, token_id,
            token_name)
        VALUES (last_seq + 1, last_hash,
            encode(sha256(convert_to(last_hash || E'\n' || (last_seq + 1) || E'\n' || one.record, 'UTF8')), 'hex'),
            one.record, one.act_id, one.outcome, one.act, one.at_us, one.tenant, one.token_id, one.token_name)
        RETURNING seq, hash INTO last_seq, last_hash;
        IF one.reason IS NOT NULL THEN
            INSERT INTO vestibule.audit_reasons (seq, reason, salt, tenant)
                VALUES (last_seq, one.reason, one.salt, one.tenant)
                ON CONFLICT (seq) DO UPDATE SET reason = excluded.reason, salt = excluded.salt, tenant = excluded.tenant;
        END IF;
        added := added + 1;
    END LOOP;
    RETURN added;
END
$function$;
