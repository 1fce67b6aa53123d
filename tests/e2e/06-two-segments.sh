#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A server that answers in pieces loses no answer to an opening breaker: neither
# the answers in flight when it opens nor the very one that opens it.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a $AT
start_daemon

# Answers of that kind are in flight, half sent, when the breaker opens.
in_flight() {
	sg reset a >/dev/null
	expect_server_soon a state closed
	peer_ctl a zero
	agent --connect $AT --path "/as/$1" --concurrent 20 --timeout $((8000 * SLOW)) >"$TMP/flight" &
	PIDS+=("$!")
	local flight=$! started

	started=$(now_ms)
	expect_soon 5 eval '[ "$(peer_stat a agent)" = 20 ]'
	until_ms $((started + 250)) # where there are pieces, some have been sent
	agent --connect $AT --path /as/503 --count 3 >/dev/null
	expect_error $AT EHOSTUNREACH
	wait $flight
	expect_match "$(cat "$TMP/flight")" "concurrent 20 http_200=20 ms=*" "$1"
}

t "two segments with Content-Length"
in_flight split+gap=50+delay=$((300 * SLOW))
in_flight split+gap=$((500 * SLOW))

t "chunked, and an event stream in pieces"
in_flight chunked+gap=$((200 * SLOW))
in_flight sse+parts=8+gap=$((100 * SLOW))
in_flight sse+parts=4+gap=$((300 * SLOW))

t "an answer that ends with the connection"
in_flight split+close+gap=$((400 * SLOW))

trips_itself() {
	expect_eq "$(agent_counts $AT --count 4)" "3 ok - 503"$'\n'"1 error $DENIED -" \
		"new connections"
}

t "the answer that trips arrives whole, though its body is 50 ms behind"
sg reset a >/dev/null
peer_ctl a answer split+status=503+gap=50
trips_itself
sg reset a >/dev/null
peer_ctl a answer chunked+status=503+gap=50
trips_itself

t "the same on one keep-alive connection"
sg reset a >/dev/null
peer_ctl a answer split+status=503+gap=50
steps_start $AT
for _ in 1 2 3; do
	expect_step ok - 503 call 1
done
expect_step error ECONNABORTED - call 1
steps_stop

for how in stopped dead; do
	t "$how daemon: the answer that trips arrives whole"
	sg reset a >/dev/null
	if [ $how = stopped ]; then
		freeze_daemon
	else
		kill9_daemon
		daemon_forgotten
	fi
	trips_itself
	[ $how = dead ] || thaw_daemon
	[ $how = stopped ] || start_daemon
	expect_server_soon a state open
done

finish
