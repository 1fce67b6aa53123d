#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Calls through an HTTP proxy: whom the proxy is asked for decides. What the server does is the
# server's, what the proxy says of itself is nobody's failure, and a refusal ends the connection at
# that request, whether it asks for a tunnel or is forwarded in clear.
. "$(dirname "$0")/lib.sh"

PROXY=127.0.0.1:8888
A=127.0.0.1:3001
B=localhost:3002   # asked for by its name
OTHER=127.0.0.1:3003 # no server
AUTH=127.0.0.1:3004
PROBED=127.0.0.1:3005
HALF_S=$((SLOW > 1 ? 5 * SLOW : 2))
KILL_MS=$((200 * MS_SLOW)) # until a request that is refused has ended its connection
OWN_MS=4000                # the same without a daemon: TCP's own timers

config '"a": { "url": "http://'$A'/mcp", "breaker": { "timeout_seconds": '$((2 * SLOW))' } },
	"b": { "url": "http://'$B'/mcp" },
	"auth": { "url": "http://'$AUTH'/mcp" },
	"probed": { "url": "http://'$PROBED'/mcp", "breaker": { "open_seconds": '$HALF_S' } }' \
	'"proxies": ["http://user:hush@'$PROXY'"]'
peer_start a $A
peer_start b 127.0.0.1:3002
peer_start other $OTHER
peer_start probed $PROBED

proxy_start() { # the proxy is not protected itself: what it connects is not the agents' doing
	rm -f "$TMP/proxy.log"
	"$TOOLS/nsrun" --cgroup "$CG_FAR" --net "$NS" -- "$TOOLS/proxy" --listen $PROXY \
		--auth $AUTH --seconds 600 >"$TMP/proxy.log" 2>&1 &
	PROXY_PID=$!
	PIDS+=("$PROXY_PID")
	wait_for 5 grep -q ready "$TMP/proxy.log" || fail "proxy: $(cat "$TMP/proxy.log")"
}

# A call through the proxy: `tunnel HOST:PORT` or `plain HOST:PORT`, [OPTION...] of the agent.
by_tunnel() {
	call $PROXY --tunnel "$1" "${@:2}"
}
by_plain() {
	call $PROXY --path "http://$1/mcp" "${@:2}"
}
WAYS="by_tunnel by_plain"

expect_through() { # WAY HOST:PORT RESULT ERRNO STATUS [OPTION...]
	"$1" "$2" "${@:6}"
	expect_eq "$RESULT $ERR $STATUS" "$3 $4 $5" "$1 $2"
}

expect_refused() { # WAY HOST:PORT [MS ERRNO]
	expect_through "$1" "$2" error "${4:-ECONNABORTED}" -
	expect_ms "$MS" "${3:-$KILL_MS}" "ms until $1 $2 was refused"
}

proxy_start
start_daemon

t "calls through the proxy are their server's, both ways"
expect_through by_plain $A ok - 200
expect_through by_plain LOCALHOST:3002 ok - 200
expect_through by_tunnel $A ok - 200
expect_eq "$(peer_stat a requests) $(peer_stat b requests)" "2 1" "requests that came"
expect_soon 5 causes_are a "*2 success answer*"
expect_soon 5 causes_are b "*1 success answer*"
expect_eq "$(counter a requests) $(counter b requests)" "3 1" "requests, one of them a CONNECT"
expect_eq "$(cat "$LOG" <(sg status --json) | grep -c hush)" 0

t "calls to others are nobody's"
for way in $WAYS; do
	expect_through $way $OTHER ok - 200
done
expect_through by_plain 127.0.0.1:30011 ok - 502 # begins like a server's
expect_eq "$(counter a requests) $(counter b requests)" "3 1" "requests"

t "requests of one connection are told apart"
steps_start $PROXY --keepalive --path "http://$A/mcp"
for _ in 1 2 3; do
	expect_step ok - 200 call 0
done
expect_soon 5 causes_are a "*5 success answer*"
steps_stop

t "the proxy's own failures count against nobody"
peer_ctl a unlisten
for _ in 1 2 3 4 5; do
	expect_through by_plain $A ok - 502
	expect_through by_tunnel $A error EPROTO -
	expect_through by_plain $AUTH ok - 407
	expect_through by_tunnel $AUTH error EPROTO -
done
expect_soon 5 causes_are a "*5 caller proxy*5 unknown proxy*"
expect_soon 5 causes_are auth "10 caller proxy"
expect_server a state closed
expect_server auth state closed
peer_ctl a listen

t "nor does its end, when it forwards requests"
peer_ctl a answer ok+hold
for _ in 1 2 3; do
	agent --connect $PROXY --path "http://$A/mcp" >/dev/null &
done
expect_soon 5 eval '[ "$(peer_stat a requests)" -ge 8 ]'
kill "$PROXY_PID" # and all its connections
expect_soon 5 causes_are a "*8 unknown proxy*"
peer_ctl a go
peer_ctl a answer ok
expect_server a state closed
proxy_start

t "a server that fails through a plain proxy opens; then it is refused, however it is called"
peer_ctl a answer 500
for _ in 1 2 3; do
	expect_through by_plain $A ok - 500
done
expect_server_soon a state open
before=$(peer_stat a requests) denied=$(counter a denied)
expect_refused by_plain $A
expect_refused by_tunnel $A
expect_error $A ECONNREFUSED
expect_eq "$(counter a denied)" $((denied + 3)) "denied"
expect_eq "$(peer_stat a requests)" "$before" "requests that came"

t "others are not, nor is the same connection after it was that server's"
for way in $WAYS; do
	expect_through $way $B ok - 200
	expect_through $way $OTHER ok - 200
done

t "a server that fails in tunnels opens, too"
expect_ok sg reset a
peer_ctl a answer rst
for _ in 1 2 3; do
	expect_through by_tunnel $A eof - -
done
expect_server_soon a state open

t "and so does one that hangs"
for way in $WAYS; do
	expect_ok sg reset a
	peer_ctl a answer hang
	for _ in 1 2 3; do
		"$way" $A --timeout $((3000 * SLOW)) &
	done
	wait_for $((20 * SLOW)) server_is a state open
	expect_server a state open
done

t "half-open, agents' calls are the probes: the daemon may not reach it"
peer_ctl probed answer 500
for _ in 1 2 3; do
	expect_through by_plain $PROBED ok - 500
done
expect_server_soon probed state open
peer_ctl probed answer ok
came=$(peer_stat probed requests)
expect_server_soon probed state half_open $((3 * HALF_S))
expect_eq "$(peer_stat probed requests)" "$came" "requests, none of them the daemon's"
expect_through by_tunnel $PROBED ok - 200
expect_server_soon probed state closed

t "a quarantine ends tunnels and calls, and no others"
expect_ok sg reset a
peer_ctl a answer ok
steps_start $PROXY --keepalive --tunnel $B
expect_step ok - 200 call 0
pool_start $PROXY 5 --keepalive --tunnel $A
expect_ok sg quarantine a --reason "test"
pool_wait 10
expect_eq "$(pool_stat ended) $(pool_stat left)" "5 0" "tunnels that ended"
expect_match "$(cat "$LOG")" "*5 connections killed, 0 survivors*"
for way in $WAYS; do
	expect_refused $way $A
	expect_through $way $B ok - 200
done
expect_step ok - 200 call 0

t "so it does while no daemon lives"
kill9_daemon
daemon_forgotten
came=$(peer_stat a requests)
for way in $WAYS; do
	expect_refused $way $A $((OWN_MS * MS_SLOW)) ETIMEDOUT
	expect_through $way $B ok - 200
done
expect_step ok - 200 call 0
expect_eq "$(peer_stat a requests)" "$came" "requests that came"

t "and an open breaker refuses"
start_daemon
expect_ok sg release a
expect_ok sg trip a --for 1h
expect_refused by_tunnel $A
kill9_daemon
daemon_forgotten
for way in $WAYS; do
	expect_refused $way $A $((OWN_MS * MS_SLOW)) ETIMEDOUT
	expect_through $way $B ok - 200
done
expect_eq "$(peer_stat a requests)" "$came" "requests that came"
steps_stop

t "a proxy that is not configured any more is none"
start_daemon
config '"a": { "url": "http://'$A'/mcp" }'
kill -HUP "$DAEMON"
passes() { # WAY
	"$1" $A
	[ "$RESULT" = ok ]
}
for way in $WAYS; do
	expect_soon 10 passes $way
done

finish
