#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A kernel that lacks a feature: what is lost is said, and the fallback works.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"dead": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a $AT

t "without adoption, a quarantine still ends connections older than the load"
pool_start $AT 10 # nothing is attached yet
export SWITCHGEAR_WITHOUT=sg_adopt_tcp,sg_adopt_udp
start_daemon
expect_match "$(status health.degraded)" "*older than the load*sg_adopt_tcp*"
expect_ok sg quarantine a --reason test
expect_match "$OUT" "*10 connections killed, 0 survivors*"
pool_wait 10
expect_eq "$(pool_stat ECONNABORTED)" 10
expect_ok sg release a
stop_daemon

t "without tracing of socket states, connects are still refused, and it says what is lost"
export SWITCHGEAR_WITHOUT=sg_state,sg_sockops
start_daemon
expect_match "$(status health.degraded)" "*failed connects are not seen*sg_state*"
expect_ok sg quarantine a --reason test
expect_error $AT EHOSTUNREACH
expect_ok sg release a
expect_answer $AT 200
stop_daemon

t "without tracing programs, states, ends and kills work all the same"
export SWITCHGEAR_WITHOUT=sg_state,sg_retransmit
start_daemon
expect_match "$(status health.degraded)" "*older than the load is not seen*"
expect_answer $AT 200
pool_start $AT 20
expect_ok sg quarantine a --reason test
expect_match "$OUT" "*20 connections killed, 0 survivors*"
expect_error $AT EHOSTUNREACH
expect_ok sg release a
for _ in 1 2 3; do
	expect_error 127.0.0.1:3002 ECONNREFUSED
done
expect_error 127.0.0.1:3002 EHOSTUNREACH
expect_server dead counters.connect_failures.refused 3
stop_daemon

t "without sockops, connections are found and killed all the same"
export SWITCHGEAR_WITHOUT=sg_sockops
start_daemon
expect_match "$(status health.degraded)" "*without a daemon*sg_sockops*"
pool_start $AT 20
expect_ok sg quarantine a --reason test
expect_match "$OUT" "*20 connections killed, 0 survivors*"
pool_wait 10
expect_eq "$(pool_stat ECONNABORTED)" 20
expect_ok sg release a
expect_ok sg reset dead # it was opened by the daemon before
stop_daemon

t "without answers nothing is judged by them: a healthy server stays closed"
export SWITCHGEAR_WITHOUT=sg_ingress
rm -rf "$PINS" # the program of an earlier load would go on
start_daemon
expect_match "$(status health.selftest)" "*answer of a server in quarantine was not stopped (sg_ingress)*"
expect_match "$(cat "$LOG")" "*error: selftest: an answer of a server in quarantine was not stopped*"
expect_match "$(status health.degraded)" "*answers are not measured*sg_ingress*"
steps_start $AT
for _ in 1 2 3 4 5 6 7; do
	expect_step ok - 200 call 1
done
steps_stop
expect_server_soon a counters.connects 1
expect_server a counters.requests 0
expect_server a counters.timeouts 0
expect_server a state closed
stop_daemon
rm -rf "$PINS"

t "without the timer, it says that nobody notices hangs while there is no daemon"
export SWITCHGEAR_WITHOUT=sg_watch
start_daemon
expect_match "$(status health.degraded)" "*answers that stay out are not noticed*sg_watch*"
stop_daemon

t "--check says what is lost, the effect first, and fails where enforcement is partial"
export SWITCHGEAR_WITHOUT=sg_egress
CHECK=("${IN_CG[@]}" "$BUILD/switchgeard" --config "$CONFIG" --cgroup "$CG" --check)
expect_status 1 "${CHECK[@]}"
expect_match "$OUT" "*LOST:  requests on open connections are not measured, nor stopped*sg_egress*"
expect_match "$OUT" "*This kernel enforces partially: requests on open connections*"
export SWITCHGEAR_WITHOUT=sg_adopt_udp,sg_watch # what only measures is said, and is no failure
expect_ok "${CHECK[@]}"
expect_match "$OUT" "*lacks: without a daemon, answers that stay out are not noticed*sg_watch*"
expect_match "$OUT" "*This kernel can enforce fully.*"

t "what is degraded otherwise is what this kernel is known to lack"
unset SWITCHGEAR_WITHOUT
start_daemon
expect_degraded

finish
