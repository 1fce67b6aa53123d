#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What healthy agents and servers do all day, where a single failure would open the breaker: it
# stays closed, with the daemon alive, stopped and dead. And one failure of each kind opens it.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH",
	"breaker": { "consecutive_failures": 1, "window_calls": 0, "window_seconds": 0,
		"open_seconds": 600, "abandon_seconds": 600 } }'
peer_start a $AT
start_daemon
head -c 300000 /dev/zero | tr '\0' ' ' >"$TMP/body"

statuses() { # METHOD STATUS...
	local status

	for status in "${@:2}"; do
		agent --connect $AT "--$1" --path "/as/$status" --count 2 >/dev/null
	done
}

patience() { # MS OPTION...: calls that are given up
	agent --connect $AT --timeout "$1" "${@:2}" >/dev/null
}

killed() { # an agent that dies with its call
	"${IN_CG[@]}" "$TOOLS/agent" --connect $AT --path /as/hang --timeout 60000 >/dev/null 2>&1 &
	KILLED=$!
	wait_for 10 waits_for_answer
	kill -9 $KILLED
	wait $KILLED 2>/dev/null
}

waits_for_answer() {
	[ "$(peer_stat a agent)" -gt "$BEFORE" ]
}

by_hand() {
	steps_start $AT
	step open 1
	step part 1 20
	step close 1 # half a request
	step open 2
	step start 2
	step close 2 # cancelled
	step call 3
	peer_ctl a close-all # an idle connection that the server closes
	step call 3          # and that is used
	step close 3
	steps_stop
}

neutral() {
	agent --connect $AT --count 5 >/dev/null
	agent --connect $AT --keepalive --count 5 >/dev/null
	agent --connect $AT --path /as/chunked --count 3 >/dev/null
	agent --connect $AT --path /as/split+parts=4+gap=20 >/dev/null
	agent --connect $AT --path /as/sse --count 3 >/dev/null
	agent --connect $AT --path /as/202 --rpc notifications/initialized --count 3 >/dev/null
	statuses get 200 400 404 405 409
	statuses delete 200 404 405
	statuses post 301 400 401 403 404 405 406 409 415 501 505
	agent --connect $AT --path /as/413+close --body "$TMP/body" >/dev/null
	patience $((300 * SLOW)) --path /as/ticks
	patience $((100 * SLOW)) --path /as/hang
	patience $((100 * SLOW)) --get --path /as/hang
	BEFORE=$(peer_stat a agent)
	killed
	by_hand
}

t "with the daemon alive"
neutral
expect_server a state closed
expect_server a breaker.generation 0
expect_eq "$(sg events --calls --json --since 1h --server a | grep -c '"outcome":"hard"')" 0 "failures"

t "with the daemon stopped"
freeze_daemon
neutral
expect_answer $AT 200
thaw_daemon
expect_server a state closed
expect_server a breaker.generation 0

t "with the daemon dead"
kill9_daemon
neutral
expect_answer $AT 200
start_daemon
expect_server a state closed
expect_server a breaker.generation 0

for kind in 500 502 503 504 html malformed truncate rst eof; do
	t "and one answer of the kind $kind opens it"
	agent --connect $AT --path /as/$kind >/dev/null
	expect_server_soon a state open
	expect_ok sg reset a
done

finish
