#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A kernel that lacks a feature: what is lost is said, and the fallback works.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a $AT

t "without bpf_sock_destroy, connections are killed by netlink"
export SWITCHGEAR_WITHOUT=sg_kill_tcp
start_daemon
expect_within "$(status health.degraded.#)" 1 3
expect_match "$(status health.degraded.0)" "*netlink*sg_kill_tcp*"
expect_within "$(log_lines degraded)" 1 5 "log lines"
pool_start $AT 20
expect_ok sg quarantine a --reason test
expect_match "$OUT" "*20 connections killed, 0 survivors*"
pool_wait 10
expect_eq "$(pool_stat ECONNABORTED)" 20
expect_error $AT EHOSTUNREACH
stop_daemon

t "without tracing of socket states, connects are still refused, and it says what is lost"
export SWITCHGEAR_WITHOUT=sg_state,sg_sockops
start_daemon
expect_match "$(status health.degraded.0)$(status health.degraded.1)" "*sg_state*"
expect_error $AT EHOSTUNREACH
expect_ok sg release a
expect_answer $AT 200
stop_daemon

t "what is degraded otherwise is what this kernel is known to lack"
unset SWITCHGEAR_WITHOUT
start_daemon
expect_degraded

finish
