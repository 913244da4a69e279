#!/bin/bash
# Runs nginx in front of every container that answers to the name $BACKEND, and follows as they come and go.
#   usage: balance.sh          in the foreground
#          balance.sh probe    says by its exit code whether it answers
# nginx 1.26 looks names up once; so they are looked up here, and it reads its list anew when that has changed.
set -u

list=/tmp/backends.conf
every_s=1
# A name server that does not answer must not stop the looking.
export RES_OPTIONS="timeout:1 attempts:2"
longest_s=5
# When to say that nobody answers to the name, and how often again.
tell_after_s=${TELL_AFTER_S:-10} tell_again_s=60
tell_at=$((SECONDS + tell_after_s)) is_told=

probe() {
    exec 3<>/dev/tcp/127.0.0.1/8080 || return 1
    printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
    read -r -t 4 _ status _ <&3 && [ "$status" = 200 ]
}

say() { echo "balancer: $1" >&2; }

look_up() { # sets $found
    found=$(timeout "$longest_s" getent ahostsv4 "$BACKEND" |
        awk -v port="$BACKEND_PORT" '{print "server " $1 ":" port " max_fails=2 fail_timeout=5s;"}' | sort -u)
    if [ -n "$found" ]; then
        [ -z "$is_told" ] || say "$BACKEND has an address again"
        tell_at=$((SECONDS + tell_after_s)) is_told=
    elif ((SECONDS >= tell_at)); then
        say "no name server gives an address for $BACKEND: does that service run, and the DNS of this network? Looking on."
        tell_at=$((SECONDS + tell_again_s)) is_told=1
    fi
    [ -n "$found" ]
}

follow() {
    while sleep "$every_s"; do
        # No answer is no news: names are not known for a moment while containers are replaced.
        if look_up && [ "$found" != "$(cat "$list")" ]; then
            printf '%s\n' "$found" >"$list"
            nginx -e stderr -c /etc/vestibule/nginx.conf -s reload
        fi
    done
}

if [ "${1:-}" = probe ]; then
    probe
    exit
fi
# The first process of a container gets no signal that it does not handle.
trap 'exit 0' TERM QUIT
until look_up; do sleep "$every_s"; done
printf '%s\n' "$found" >"$list"
follow &
exec nginx -e stderr -c /etc/vestibule/nginx.conf -g 'daemon off;'
