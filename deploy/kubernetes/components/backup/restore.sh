# Puts the database back as it was in the backup BACKUP, or in the newest: all of it or, where that fails, nothing.
set -eu
cd "${BACKUPS:-/backups}"
chosen=${BACKUP:-$(ls -1 vestibule-*.dump 2>/dev/null | sort | tail -n 1)}
if [ -z "$chosen" ] || [ ! -f "$chosen" ]; then
    echo "There is no backup${chosen:+ $chosen}." >&2
    exit 1
fi
others=$(psql -X -At -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND backend_type = 'client backend' AND pid <> pg_backend_pid()")
if [ "$others" != 0 ]; then
    echo "$others connections are open: stop the database service and PgBouncer first." >&2
    exit 1
fi
# Watchers may have positions that the backup does not know: they begin again under another id.
epoch=$(psql -X -At -c "SELECT left(md5(gen_random_uuid()::text), 8)")
# A newer version may have made what the backup has not, so all of it goes. Without the last line nothing is changed.
{
    echo "BEGIN; DROP SCHEMA IF EXISTS vestibule CASCADE;"
    pg_restore --file=- --no-owner --no-privileges "$chosen" &&
        echo "UPDATE vestibule.epoch SET id = '$epoch'; COMMIT;"
} | psql -X -q -v ON_ERROR_STOP=1 >/dev/null
if [ "$(psql -X -At -c "SELECT id FROM vestibule.epoch")" != "$epoch" ]; then
    echo "$chosen cannot be restored; nothing is changed." >&2
    exit 1
fi
echo "$chosen is restored."
