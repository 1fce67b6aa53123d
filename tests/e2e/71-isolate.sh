#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A server of this host in quarantine is isolated itself: a real nginx in a cgroup of its own is
# reached by nobody and reaches nothing but what is allowed; what it has open is cut. It outlives
# the daemon, ends with the release, spares who shares its cgroup, and can freeze.
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"

AT=127.0.0.1:3001
INTERNAL=127.0.0.1:3009
COLLECTOR=$REMOTE4:3005
SERVER=$CG/server
UNREACHABLE=$(refusal ENETUNREACH)
mkdir "$SERVER" "$CG/server2"
join_remote
peer_start internal 0.0.0.0:3009
peer_start internal6 "[::1]:3010"
PEER_NS=$NS_REMOTE peer_start collector 0.0.0.0:3005
PEER_NS=$NS_REMOTE peer_start other 0.0.0.0:3006
ISOLATION="\"allow\": [\"$COLLECTOR\"]"
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
nginx_configure <<'END'
	server {
		listen 0.0.0.0:3001;
		listen [::]:3001 ipv6only=on;
		location /mcp { default_type application/json; return 200 '{"jsonrpc":"2.0","id":7,"result":{}}'; }
		location /internal { proxy_pass http://127.0.0.1:3009/; }
	}
END

# The server, in a cgroup of its own: a master and a worker.
server_start() { # CGROUP
	"$TOOLS/nsrun" --cgroup "$1" --net "$NS" -- nginx -e stderr -c "$TMP/nginx.conf" \
		>"$TMP/nginx.log" 2>&1 &
	NGINX=$!
	PIDS+=("$NGINX")
	wait_for 15 nginx_listens 3001 || fail "nginx does not listen: $(cat "$TMP/nginx.log")"
}

server_stop() {
	kill -QUIT "$NGINX"
	wait "$NGINX" 2>/dev/null
}

# What a process in the server's cgroup gets, that came there for it.
from_server() { # ADDR:PORT
	call_read "$("$TOOLS/nsrun" --cgroup "${2:-$SERVER}" --net "$NS" -- "$TOOLS/agent" \
		--connect "$1" --timeout 1500 2>&1)"
}

from_remote() { # ADDR:PORT
	call_read "$(in_ns "$NS_REMOTE" "$TOOLS/agent" --connect "$1" --timeout 1500 2>&1)"
}

expect_got() { # WHAT WANT, of the latest call: "ok" or an errno
	pass
	[ "$RESULT" = "$2" ] || [ "$ERR" = "$2" ] || fail "$1: $RESULT $ERR ($STAGE), wanted $2"
}

established() { # PORT that somebody waits at, in the namespace
	local port

	port=$(printf '%04X' "$1")
	in_ns "$NS" cat /proc/net/tcp | grep -c "^ *[0-9]*: [0-9A-F]*:$port [0-9A-F:]* 01 "
}

all_works() {
	expect_answer $AT 200 --path /mcp
	from_remote $LOCAL4:3001
	expect_got "from another host" ok
	from_remote "[$LOCAL6]:3001"
	expect_got "from another host, IPv6" ok
	from_server $INTERNAL
	expect_got "to an internal system" ok
	from_server "[::1]:3010"
	expect_got "to an internal system, IPv6" ok
	from_server $COLLECTOR
	expect_got "to the log collector" ok
	from_server $REMOTE4:3006
	expect_got "to another host" ok
}

is_isolated() { # [CGROUP]
	call $AT --path /mcp
	expect_got "an agent" "$DENIED"
	from_remote $LOCAL4:3001
	expect_got "from another host" timeout
	from_remote "[$LOCAL6]:3001"
	expect_got "from another host, IPv6" timeout
	from_server $INTERNAL "$@"
	expect_got "to an internal system" "$UNREACHABLE"
	from_server "[::1]:3010" "$@"
	expect_got "to an internal system, IPv6" "$UNREACHABLE"
	from_server $REMOTE4:3006 "$@"
	expect_got "to another host" "$UNREACHABLE"
	from_server $COLLECTOR "$@"
	expect_got "to the log collector" ok
}

isolation() { # MEMBER
	server a "isolation.$1"
}

server_start "$SERVER"
start_daemon

t "before: everybody reaches it, and it reaches everything"
all_works
call $AT --path /internal
expect_eq "$RESULT $STATUS" "ok 200" "the internal system by way of the server"
expect_eq "$(isolation state)" ""

t "a quarantine isolates its cgroup, and says so"
peer_ctl internal answer hang
agent --connect $AT --path /internal --timeout 20000 >"$TMP/hung" 2>&1 &
PIDS+=("$!")
HUNG=$!
expect_soon 5 eval '[ "$(peer_stat internal requests)" -ge 3 ]'
in_ns "$NS_REMOTE" "$TOOLS/agent" --connect $LOCAL4:3001 --pool 3 >"$TMP/outsiders" 2>&1 &
PIDS+=("$!")
OUTSIDERS=$!
expect_soon 5 grep -q ready "$TMP/outsiders"
peer_ctl internal zero
expect_ok sg quarantine a --reason "case 17"
expect_match "$OUT" "*0 survivors*cgroup /*/server isolated, 2 processes, * cut, 0 survivors*"
expect_eq "$(isolation state)" isolated
expect_match "$(isolation cgroup)" "*/server"
expect_eq "$(isolation processes)" 2
expect_eq "$(isolation frozen)" false

t "what it had open is cut, on both sides and to both ends"
wait_for 10 eval '! kill -0 '$HUNG
expect_match "$(cat "$TMP/hung")" "*error*"
wait_for 10 grep -q '^pool ' "$TMP/outsiders"
wait "$OUTSIDERS"
expect_match "$(cat "$TMP/outsiders")" "*left=0*"
expect_soon 5 eval '[ "$(established 3009)" = 0 ]'
peer_ctl internal answer ok

t "nobody reaches it, and it reaches nothing but what is allowed"
is_isolated
expect_eq "$(peer_stat internal accepted)" 0

t "that is counted, and told with who did it and why"
expect_ne "$(isolation dropped_packets)" 0
expect_ne "$(isolation refused)" 0
expect_match "$(sg metrics)" "*"$'\nswitchgear_isolated{server="a"} 1\n'"*"
expect_match "$(sg events --json --since 600s | grep '"isolation"')" \
	'*"state":"isolated"*"reason":"case 17"*"by":"root*'
expect_match "$(sg show a)" "*isolation*isolated*not cut*packet sockets*"

t "without a daemon it is as before, for processes that come then, too"
kill9_daemon
is_isolated
start_daemon
expect_eq "$(isolation state)" isolated
is_isolated

t "release undoes all of it"
expect_ok sg release a
all_works
expect_eq "$(server a isolation)" null
expect_eq "$(find "$PINS" -name 'iso_*' | wc -l)" 0 "pins that are left"
expect_match "$(sg events --json --since 600s | grep '"isolation"')" '*"state":"released"*'

t "who shares the cgroup is named, and spared; the server's own connections are cut"
"$TOOLS/nsrun" --cgroup "$SERVER" --net "$NS" -- "$TOOLS/peer" --listen 127.0.0.1:3020 \
	>"$TMP/stranger.log" 2>&1 &
STRANGER=$!
PIDS+=("$STRANGER")
expect_soon 5 grep -q ready "$TMP/stranger.log"
in_ns "$NS_REMOTE" "$TOOLS/agent" --connect $LOCAL4:3001 --pool 3 >"$TMP/outsiders" 2>&1 &
PIDS+=("$!")
expect_soon 5 grep -q ready "$TMP/outsiders"
expect_ok sg quarantine a --reason "shared"
expect_match "$OUT" "*NOT isolated: others are in it: peer (pid $STRANGER)*"
expect_eq "$(isolation state)" refused
expect_soon 5 grep -q left=0 "$TMP/outsiders"
from_server $INTERNAL
expect_got "to an internal system" ok
call $AT --path /mcp
expect_got "an agent" "$DENIED"
expect_status 1 sg quarantine a --reason "shared" --freeze

t "by force it is isolated all the same, and stays so"
expect_ok sg quarantine a --reason "shared" --force
expect_match "$OUT" "*isolated by force*"
is_isolated
expect_eq "$(isolation forced)" true
expect_ok sg release a
all_works
kill "$STRANGER"
wait "$STRANGER" 2>/dev/null

t "the cgroup of the daemon and the agents is never isolated, and its own is kept"
expect_soon 5 eval '[ "$(wc -l <"$SERVER/cgroup.procs")" = 2 ]'
server_stop
server_start "$CG"
expect_status 1 sg quarantine a --reason "with everybody" --force
expect_match "$OUT" "*NOT isolated: switchgeard itself is in it*"
expect_ok sg release a
server_stop

t "frozen, it is kept as it is until the release; another daemon keeps that"
server_start "$SERVER"
expect_ok sg quarantine a --reason "evidence" --freeze
expect_match "$OUT" "*isolated and frozen*"
expect_match "$(cat "$SERVER/cgroup.events")" "*frozen 1*"
expect_eq "$(isolation frozen)" true
stop_daemon
start_daemon
expect_eq "$(isolation frozen)" true
expect_match "$(cat "$SERVER/cgroup.events")" "*frozen 1*"
expect_ok sg release a
expect_soon 5 grep -q 'frozen 0' "$SERVER/cgroup.events"
expect_answer $AT 200 --path /mcp

t "with a time it ends by itself, and thaws"
expect_ok sg quarantine a --reason "for a moment" --for 2s --freeze
expect_soon 15 grep -q 'frozen 0' "$SERVER/cgroup.events"
expect_soon 5 eval '[ "$(server a isolation)" = null ]'
all_works

t "a server that comes back in another cgroup is isolated there"
expect_ok sg quarantine a --reason "restarts"
server_stop
"$TOOLS/nsrun" --cgroup "$CG/server2" --net "$NS" -- nginx -e stderr -c "$TMP/nginx.conf" \
	>"$TMP/nginx.log" 2>&1 &
NGINX=$!
PIDS+=("$NGINX")
expect_soon 50 eval '[[ $(isolation cgroup) == */server2 ]]'
is_isolated "$CG/server2"
expect_ok sg release a

t "in a bypass it is not isolated"
expect_ok sg quarantine a --reason "restarts"
is_isolated "$CG/server2"
expect_ok sg bypass on --for 10m
from_server $INTERNAL "$CG/server2"
expect_got "to an internal system" ok
from_remote $LOCAL4:3001
expect_got "from another host" ok
expect_ok sg bypass off
is_isolated "$CG/server2"

t "a detach leaves nothing behind"
expect_ok sg detach
expect_soon 10 eval '! daemon_alive'
from_server $INTERNAL "$CG/server2"
expect_got "to an internal system" ok

finish
