#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A network namespace that only a socket keeps alive: nobody can enter it to kill
# what is there. A quarantine says how many survive and stops their packets; what
# only a breaker denies passes rather than hang.
. "$(dirname "$0")/lib.sh"

FAR=$REMOTE4:3004
config '"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" }'
join_remote
join_other
PEER_NS=$NS_REMOTE peer_start far 0.0.0.0:3004
start_daemon

# Connections of an agent that went away from their namespace; then that loses its name.
hide() {
	local inode

	IN_OTHER=("$TOOLS/nsrun" --cgroup "$CG" --net "$NS_OTHER" --)
	inode=$("${IN_OTHER[@]}" readlink /proc/self/ns/net)
	steps_start $FAR --timeout 20000 --leave "$NS"
	expect_step ok - 200 call 1
	expect_step ok - 200 call 2
	expect_step ok - 200 call 3
	expect_step ok - - leave 0
	ip netns del "$NS_OTHER"
	expect_eq "$(readlink /proc/[0-9]*/ns/net 2>/dev/null | grep -cF "$inode")" 0 \
		"processes in the namespace"
}

t "connections live on in a namespace that has no process and no name"
STEPS_NS=$NS_OTHER hide
expect_step ok - 200 call 1
expect_answer $FAR 200

t "what an opening breaker denies passes there, and is counted"
peer_ctl far zero
expect_ok sg trip far
expect_step ok - 200 call 1
expect_ms "$MS" 500 "ms"
expect_server far counters.passed_open 1
expect_denied $FAR
expect_within "$(log_lines "cannot kill 3 connections in the network namespace")" 1 100 "log lines"
expect_ok sg reset far
expect_step ok - 200 call 1

t "a quarantine says who survives it, and fails"
peer_ctl far answer ok+hold
expect_step ok - - start 3
expect_soon 5 eval '[ "$(peer_stat far requests)" -eq 3 ]'
expect_status 1 sg quarantine far --reason test
expect_match "$OUT" "*0 connections killed, 3 survivors*"
expect_match "$(sg metrics | grep '^switchgear_kill_survivors{server="far"}')" "* 3" "the metric"

t "nothing comes from the server, nothing reaches it, and who asks is told soon"
expect_step error ETIMEDOUT - call 1
expect_ms "$MS" 5000 "ms until the request ended"
peer_ctl far go
expect_soon 10 eval '[ "$(peer_stat far answered)" -eq 3 ]' # the answer to 3 has been sent
expect_eq "$(peer_stat far requests)" 3
expect_step timeout ETIME - wait 3 500
expect_within "$(counter far dropped_packets)" 2 1000 "packets that were dropped"

t "a quarantine that comes again counts who is left"
expect_status 1 sg quarantine far --reason test
expect_match "$OUT" "*0 connections killed, 2 survivors*"

t "released, those that are left go on"
expect_ok sg release far
peer_ctl far answer ok
expect_step ok - 200 call 2
steps_stop

t "with their sockets the records go"
expect_soon 5 eval '[ "$("$TOOLS/bpfpin" count "$PINS/flows")" -eq 0 ]'

finish
