#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Limits across servers: the last usable one of a group is not opened, and when
# all servers seem to fail at once only a few of them are.
. "$(dirname "$0")/lib.sh"

A=127.0.0.1:3001 B=127.0.0.1:3002
BREAKER="$BREAKER,\"blast_seconds\":600"
many=''
for i in 0 1 2 3 4 5 6 7 8 9; do
	many="$many, \"m$i\": { \"url\": \"http://$REMOTE4:400$i/mcp\", \"deny_errno\": \"$DENY\" }"
done
pair() {
	echo '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH",
		"fallback": ["b"], "on_open": "refuse" },
	"b": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH" }'
}
config "$(pair)$many"
join_remote
start_daemon

alarms() {
	sg events --json | grep -c '"event":"alarm"'
}

fail_often() { # ADDR:PORT N: each fails by itself
	local i

	for ((i = 0; i < $2; i++)); do
		expect_error "$1" ECONNREFUSED
	done
}

t "of a group of two the last one is never opened: calls go on to it"
fail_often $A 3
expect_denied $A
fail_often $B 6
expect_server a state open
expect_server b state closed
expect_server b panic true
expect_server b held true
expect_server a panic false
expect_server b verdict allow
expect_server b places.members 2
expect_server b places.open 1
expect_server b places.limit 1
expect_within "$(counter b overflow)" 4 4 "trips that were held"
expect_eq "$(alarms)" 1 "alarms"
expect_eq "$(log_lines "b: failing, but the last usable server of its group")" 1 "log lines"
expect_match "$(sg show b)" "*by fallback): 2 servers, 1 open, 1 may be*panic*"

t "the floor holds without a daemon, and through a restart under load"
kill9_daemon
daemon_forgotten
fail_often $B 4
"${IN_CG[@]}" "$TOOLS/agent" --connect $B --count 1000000 >"$TMP/load.out" 2>&1 &
PIDS+=("$!")
load=$!
start_daemon
kill "$load"
wait "$load"
expect_eq "$(sed '$d' "$TMP/load.out" | cut -d ' ' -f 2,3 | sort -u)" "error ECONNREFUSED"
expect_server a state open
expect_server b state closed
fail_often $B 1
expect_server_soon b panic true

t "a success ends the panic"
peer_start b $B
expect_answer $B 200
expect_server_soon b panic false
expect_server b held false

t "another usable server ends the panic, and the next failure opens"
peer_ctl b answer 503
for _ in 1 2 3; do
	expect_answer $B 503
done
expect_server_soon b panic true
expect_ok sg reset a
expect_server_soon b panic false
expect_answer $B 503
expect_denied $B
expect_server b state open
expect_server a state closed
fail_often $A 4
expect_server_soon a panic true

t "orders and quarantine are exempt, and count"
expect_ok sg reset a
expect_ok sg reset b
expect_ok sg quarantine a --reason test
expect_server b places.limit 0
for _ in 1 2 3 4; do
	expect_answer $B 503
done
expect_server b state closed
expect_server_soon b panic true
expect_ok sg trip b
expect_denied $B
expect_server b state forced_open
expect_ok sg release a
expect_ok sg reset b

t "a server that leaves its group opens as usual"
fail_often $A 3
expect_denied $A
for _ in 1 2 3; do
	expect_answer $B 503
done
expect_server b state closed
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"b": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH", "group": "of one" }'
kill -HUP "$DAEMON"
expect_server_soon b group "of one"
expect_server a state open
expect_answer $B 503
expect_denied $B
stop_daemon
expect_ok sg detach

t "ten servers with a remote cause within a moment: two trips, eight held, one alarm"
config "$(pair)$many"
start_daemon --attach
for i in 0 1 2 3 4 5 6 7 8 9; do # traffic, and the first failure of each
	expect_error $REMOTE4:400$i ECONNREFUSED
done
before=$(alarms)
waiting=()
for i in 0 1 2 3 4 5 6 7 8 9; do
	"${IN_CG[@]}" "$TOOLS/agent" --connect $REMOTE4:400$i --count 4 >"$TMP/many-$i.out" 2>&1 &
	waiting+=("$!")
	PIDS+=("$!")
done
wait "${waiting[@]}"
states=$(for i in 0 1 2 3 4 5 6 7 8 9; do server m$i state; done | sort | uniq -c | sed 's/^ *//')
expect_eq "$states" $'8 closed\n2 open'
held=$(for i in 0 1 2 3 4 5 6 7 8 9; do server m$i held; done | sort | uniq -c | sed 's/^ *//')
expect_eq "$held" $'2 false\n8 true'
expect_eq "$(($(alarms) - before))" 1 "alarms"
expect_match "$(sg events --json | grep '"event":"alarm"' | tail -n 1)" "*network and DNS*"
expect_match "$(sg metrics)" "*switchgear_blast_places 2*switchgear_blast_limit 2*"
expect_eq "$(sg metrics | grep -c '^switchgear_held{.*} 1')" 8 "held, in metrics"

t "the limit is the daemon's, and goes with it"
held=$(for i in 0 1 2 3 4 5 6 7 8 9; do [ "$(server m$i held)" = true ] && echo "$i"; done)
first=${held%%$'\n'*}
kill9_daemon
daemon_forgotten
expect_error $REMOTE4:400"$first" ECONNREFUSED
expect_denied $REMOTE4:400"$first"
start_daemon
expect_server "m$first" state open

t "ten servers with a local cause: no trip"
for i in 0 1 2 3 4 5 6 7 8 9; do
	expect_ok sg reset m$i
done
ip -n "$NS" route del 10.83.0.0/24 dev "$DEV"
for i in 0 1 2 3 4 5 6 7 8 9; do
	expect_eq "$(agent_counts $REMOTE4:400$i --count 5)" "5 error ENETUNREACH -"
done
ip -n "$NS" link set "$DEV" down
for i in 0 1 2 3 4 5 6 7 8 9; do
	expect_eq "$(agent_counts $REMOTE4:400$i --count 5)" "5 error ENETUNREACH -"
	expect_server m$i state closed
	expect_server m$i breaker.consecutive_failures 0
	expect_server m$i held false
done

finish
