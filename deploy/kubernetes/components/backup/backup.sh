# Writes a checked copy of the database into the volume of backups, and removes all but the newest KEEP.
set -eu
umask 077
cd "${BACKUPS:-/backups}"
name="vestibule-$(date -u +%Y%m%dT%H%M%SZ).dump"
rm -f -- *.partial
pg_dump --format=custom --schema=vestibule --no-owner --no-privileges --lock-wait-timeout=60000 --file="$name.partial"
# Reads all of it: a copy that cannot be read is none.
pg_restore --file=/dev/null "$name.partial"
sync "$name.partial"
mv -- "$name.partial" "$name"
ls -1 vestibule-*.dump | sort -r | tail -n "+$((${KEEP:-14} + 1))" | while read -r old; do rm -f -- "$old"; done
echo "$name is written and can be read."
