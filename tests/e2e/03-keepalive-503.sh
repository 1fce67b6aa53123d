#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The threshold holds on one keep-alive connection: the call after it never
# reaches the server and ends fast, with a daemon and without; what becomes of
# the other pooled connections.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
config '"a": { "url": "http://127.0.0.1:3001/mcp" }'
DENY=ECONNREFUSED
peer_start a $AT
start_daemon

three_times_503() {
	peer_ctl a zero
	peer_ctl a answer 503
	expect_step ok - 503 call 1
	expect_step ok - 503 call 1
	expect_step ok - 503 call 1
}

afresh() {
	steps_stop
	peer_ctl a answer ok
	sg reset a >/dev/null
	expect_server_soon a state closed
	steps_start $AT --timeout 10000
	expect_step ok - 200 call 1
}

killed_since() { # COUNT
	[ "$(counter a killed)" -gt "$1" ]
}

t "the call after the threshold ends with ECONNABORTED at once"
afresh
three_times_503
expect_step error ECONNABORTED - call 1
deadline call_after_threshold "$MS" 10 "until the call after the threshold has failed"

t "it never reached the server"
expect_eq "$(peer_stat a agent)" 3

t "a new connection is refused at once"
expect_denied $AT
expect_server a state open
expect_eq "$(counter a responses.5xx)" 3

t "an agent that pauses finds its connection ended before it asks"
afresh
three_times_503
expect_step error ECONNABORTED - wait 1 500
expect_eq "$(peer_stat a agent)" 3

t "idle pooled connections end at once, too"
afresh
for k in 2 3 4 5; do
	expect_step ok - 200 call $k
done
three_times_503
for k in 2 3 4 5; do
	expect_step error ECONNABORTED - wait $k 500
done
expect_within "$(counter a killed)" 5 20

t "a busy one keeps its answer and ends when its turn ends"
afresh
peer_ctl a answer split+gap=400
killed=$(counter a killed)
peer_ctl a zero
expect_step ok - - start 2
expect_soon 2 eval '[ "$(peer_stat a agent)" = 1 ]'
three_times_503
expect_soon 2 killed_since "$killed" # the one that tripped
expect_step ok - 200 finish 2
expect_step error ECONNABORTED - wait 2 1000

t "a request that began before the trip is answered"
afresh
expect_step ok - 200 call 2
expect_step ok - - part 2 40
three_times_503
peer_ctl a answer ok
step rest 2
step finish 2
expect_match "$RESULT $ERR $STATUS" "@(ok - 200|error ECONNABORTED -)" "request in two parts"

for how in stopped dead; do
	t "$how daemon: the connection that tripped ends with an error, soon"
	afresh
	expect_step ok - 200 call 2
	if [ $how = stopped ]; then
		freeze_daemon
	else
		kill9_daemon
		daemon_forgotten
	fi
	three_times_503
	step call 1
	expect_match "$RESULT" error
	deadline tripped_daemon_$how "$MS" 2000 \
		"until the call on the connection that tripped has failed, daemon $how"

	t "$how daemon: it never reached the server"
	expect_eq "$(peer_stat a agent)" 3

	t "$how daemon: a new connection is refused at once"
	expect_denied $AT

	t "$how daemon: another pooled connection goes on, an error being better than a hang"
	peer_ctl a answer ok
	expect_step ok - 200 call 2
	expect_ms "$MS" 500 "ms"

	t "$how daemon: that is counted, and ends when a daemon is there again"
	[ $how = dead ] || thaw_daemon
	[ $how = stopped ] || start_daemon
	expect_within "$(counter a passed_open)" 1 10
	expect_server a state open
	step wait 2 3000
	expect_eq "$RESULT $ERR" "error ECONNABORTED"
done

t "a request on a survivor is stopped by quarantine even without a daemon"
afresh
kill9_daemon
start_daemon
sg quarantine a --reason test >/dev/null
kill9_daemon
daemon_forgotten
peer_ctl a zero
expect_denied $AT
expect_eq "$(peer_stat a agent)" 0
start_daemon
sg release a >/dev/null
expect_answer $AT 200

finish
