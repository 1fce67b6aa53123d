#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Quarantine: new connects refused, a thousand live sockets dead within 100 ms,
# both ends see it, none is left, in other namespaces too; release restores
# service at once.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
MANY=1000
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" },
	"b": { "url": "http://127.0.0.1:3002/mcp" }'
join_remote
join_other
peer_start a $AT
peer_start b 127.0.0.1:3002
PEER_NS=$NS_REMOTE peer_start far 0.0.0.0:3004
start_daemon

# Sockets of a namespace in a state (hex) with that remote port.
sockets() { # NAMESPACE PORT STATE
	local port

	port=$(printf '%04X' "$2")
	in_ns "$1" cat /proc/net/tcp | grep -c "^ *[0-9]*: [0-9A-F:]* [0-9A-F]*:$port $3 "
}

established() { # NAMESPACE PORT
	sockets "$1" "$2" 01
}

in_progress() { # NAMESPACE PORT: SYN_SENT
	sockets "$1" "$2" 02
}

# quarantine NAME; how long the command and the last death took, from its start.
quarantine() {
	BEFORE=$(now_ms)
	expect_ok sg quarantine "$1" --reason "test of $TEST"
	AFTER=$(now_ms)
	pool_wait 10
	LAST=$(pool_stat last)
	TOOK=$((${LAST%.*} - BEFORE))
}

t "a thousand live connections die within the limit"
pool_start $AT $MANY
expect_eq "$(established "$NS" 3001)" $MANY
peer_ctl a zero
quarantine a
expect_eq "$(pool_stat ended)" $MANY
expect_eq "$(pool_stat left)" 0
expect_ms $((AFTER - BEFORE)) 2000 "ms of the command"
deadline quarantine_1000 "$TOOK" 100 "until the last of $MANY connections died"

t "the agents see ECONNABORTED, the server a reset"
expect_eq "$(pool_stat ECONNABORTED)" $MANY
expect_soon 2 eval "[ \$(peer_stat a reset) = $MANY ]"
peer_last=$(peer_stat a last_end)
deadline quarantine_1000_server $((${peer_last%.*} - BEFORE)) 100 "until the server saw the last end"

t "the command says what it killed, and that none survived"
expect_match "$OUT" "*$MANY*"
expect_match "$OUT" "*0 survivors*"
expect_eq "$(established "$NS" 3001)" 0
expect_within "$(counter a killed)" $MANY $((MANY * 3))

t "the status says why, since when, until when, by whom"
expect_server a quarantine.reason "test of $TEST"
expect_server a quarantine.until null
expect_match "$(server a quarantine.since)" "20??-??-??T??:??:??*Z"
expect_ne "$(server a quarantine.by)" ""
expect_server a verdict refuse

t "new connects are refused at once, other servers are untouched"
peer_ctl a zero
for _ in 1 2 3 4 5; do
	expect_denied $AT
done
expect_eq "$(peer_stat a accepted)" 0
expect_answer 127.0.0.1:3002 200
expect_server b state closed

t "a quarantine is not a failure of the server"
expect_server a state closed
expect_server a breaker.consecutive_failures 0

t "release restores service at once"
expect_ok sg release a
expect_answer $AT 200
expect_server a quarantine null
expect_server a verdict allow

t "calls in flight die, too"
peer_ctl a answer hang
pool_start $AT 100 --busy
peer_ctl a zero
quarantine a
expect_eq "$(pool_stat ECONNABORTED)" 100
deadline quarantine_busy "$TOOK" 100 "until the last of 100 calls in flight died"
expect_soon 2 eval "[ \$(peer_stat a reset) = 100 ]"
expect_ok sg release a
peer_ctl a answer ok
expect_answer $AT 200

t "connections that were opened and never used die, too"
pool_start $AT 50 --connect-only
quarantine a
expect_eq "$(pool_stat ECONNABORTED)" 50
expect_ok sg release a

t "connections from another network namespace die, too"
POOL_NS=$NS_OTHER pool_start $REMOTE4:3004 100
quarantine far
expect_eq "$(pool_stat ECONNABORTED)" 100
deadline quarantine_netns "$TOOK" 100 "until the last of 100 connections of a container died"
expect_match "$OUT" "*0 survivors*"
expect_eq "$(established "$NS_OTHER" 3004)" 0
expect_soon 2 eval "[ \$(peer_stat far reset) = 100 ]"

t "connects from there are refused"
other_calls() {
	call_read "$("$TOOLS/nsrun" --cgroup "$CG" --net "$NS_OTHER" -- \
		"$TOOLS/agent" --connect $REMOTE4:3004)"
}
other_calls
expect_eq "$RESULT $ERR" "error $DENIED"
expect_ok sg release far
other_calls
expect_eq "$RESULT $STATUS" "ok 200"

t "a connect that is in progress dies, too"
ip -n "$NS" neigh replace $REMOTE4 lladdr 02:00:00:00:00:77 dev "$DEV" nud permanent
agent --connect $REMOTE4:3004 --concurrent 20 --timeout 8000 >"$TMP/syn" &
syn=$!
PIDS+=("$syn")
expect_soon 5 eval '[ "$(in_progress "$NS" 3004)" = 20 ]'
expect_ok sg quarantine far --reason test
wait $syn
expect_match "$(cat "$TMP/syn")" "concurrent 20 ECONNABORTED=20 ms=*"
ip -n "$NS" neigh del $REMOTE4 dev "$DEV"
expect_ok sg release far

t "a connection whose first data would be the SYN's is not let through late"
peer_ctl a zero
steps_start $AT --mode tfo-connect
expect_step ok - - open 1
expect_ok sg quarantine a --reason test
step call 1
expect_eq "$RESULT" error
expect_eq "$(peer_stat a agent)" 0
steps_stop
expect_ok sg release a

t "a quarantine with an end ends by itself, also with the daemon stopped"
expect_ok sg quarantine a --reason test --for 2s
ends=$(($(now_ms) + 2000))
expect_denied $AT
expect_ne "$(server a quarantine.until)" null
freeze_daemon
until_ms $((ends + 50))
expect_answer $AT 200
thaw_daemon
expect_server_soon a quarantine null

t "connections older than the daemon are found and killed"
kill9_daemon
rm -rf "$PINS"
pool_start $AT 100
DRIP_CG=$CG_FAR drip outside "$NS" --to $AT --ask /as/ticks
expect_soon 5 drip_said outside got
start_daemon
quarantine a
order=$(now_us)
expect_eq "$(pool_stat ECONNABORTED)" 100
expect_match "$OUT" "*100 connections killed, 0 survivors*"
later() { # than the order: what came over the connection that nobody protects
	local latest

	read -r _ _ latest <<<"$(drip_last outside got)"
	[ "$latest" -gt "$order" ]
}
expect_soon 5 later
drips_stop
expect_ok sg release a

t "over a breaker that is open, quarantine wins, and release leaves the breaker as it was"
expect_ok sg trip a --for 60s
expect_ok sg quarantine a --reason test
expect_denied $AT
expect_ok sg release a
expect_server a state forced_open
expect_denied $AT
expect_ok sg reset a
expect_answer $AT 200

finish
