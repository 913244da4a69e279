#!/bin/bash
# Runs nginx in front of every container that answers to the name $BACKEND, and follows as they come and go.
#   usage: balance.sh          in the foreground
#          balance.sh probe    says by its exit code whether it answers
# nginx 1.26 looks names up once; so they are looked up here, and it reads its list anew when that has changed.
set -u

list=/tmp/backends.conf
every_s=1

probe() {
    exec 3<>/dev/tcp/127.0.0.1/8080 || return 1
    printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
    read -r -t 4 _ status _ <&3 && [ "$status" = 200 ]
}

look_up() {
    getent ahostsv4 "$BACKEND" | awk -v port="$BACKEND_PORT" '{print "server " $1 ":" port " max_fails=2 fail_timeout=5s;"}' | sort -u
}

follow() {
    local found
    while sleep "$every_s"; do
        found=$(look_up)
        # No answer is no news: names are not known for a moment while containers are replaced.
        if [ -n "$found" ] && [ "$found" != "$(cat "$list")" ]; then
            printf '%s\n' "$found" >"$list"
            nginx -e stderr -c /etc/vestibule/nginx.conf -s reload
        fi
    done
}

if [ "${1:-}" = probe ]; then
    probe
    exit
fi
until found=$(look_up) && [ -n "$found" ]; do sleep "$every_s"; done
printf '%s\n' "$found" >"$list"
follow &
exec nginx -e stderr -c /etc/vestibule/nginx.conf -g 'daemon off;'
