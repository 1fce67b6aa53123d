#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Another program of the cgroup, or one above it, rewrites where connects go, as load balancers
# for services do: the peer counts as well as what was asked for, and the program is named.
. "$(dirname "$0")/lib.sh"

VIP=10.99.0.1:80
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"service": { "url": "http://10.99.0.2:80/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a 127.0.0.1:3001
peer_start behind 127.0.0.1:3002
mkdir "$CG/inner"
start_daemon --cgroup "$CG/inner"

rewrite() { # CGROUP FROM TO
	: >"$TMP/rewrite.out"
	"$TOOLS/rewrite" --cgroup "$1" --from "$2" --to "$3" >"$TMP/rewrite.out" 2>&1 &
	REWRITE=$!
	PIDS+=("$REWRITE")
	wait_for 5 grep -q ready "$TMP/rewrite.out" || fail "rewrite: $(cat "$TMP/rewrite.out")"
}

rewrite_stop() {
	kill "$REWRITE"
	wait "$REWRITE" 2>/dev/null
	expect_soon 5 eval '[[ $(status health.degraded) != *svc_connect4* ]]'
}

inside() { # COMMAND...: of the protected cgroup
	local CG=$CG/inner

	"$@"
}

calls() { # NAME PATH
	sg events --calls --json --since 600s --server "$1" >"$TMP/events"
	"$TOOLS/jget" --lines "$TMP/events" "$2" op=call
}

calls_are() { # NAME HOW-MANY
	[ "$(calls "$1" outcome | wc -l)" -eq "$2" ]
}

t "without one nobody is named"
expect_degraded
inside expect_answer 127.0.0.1:3001 200
expect_eq "$(counter a connects)" 1

rewrite "$CG" $VIP 127.0.0.1:3001

t "one above is named, and what it does to connects"
expect_match "$(status health.degraded)" '*svc_connect4* (id *) sees connects*after Switchgear*'

t "what it sends to a server is that server's call, and whose it is is known"
inside expect_answer $VIP 200
expect_soon 5 eval '[ "$(counter a requests)" -eq 2 ]'
expect_eq "$(counter a connects)" 2
expect_soon 5 calls_are a 2
expect_eq "$(calls a address | tail -n 1)" 127.0.0.1:3001
expect_eq "$(calls a comm | tail -n 1)" agent
expect_match "$(calls a cgroup | tail -n 1)" "*/${CG##*/}/inner"

t "its failures open the breaker, for both ways"
peer_ctl a answer 503
for _ in 1 2 3; do
	inside expect_answer $VIP 503
done
expect_server a state open
inside expect_denied 127.0.0.1:3001

t "and an open one stops what it sends there, at its first request"
requests=$(peer_stat a requests)
inside call $VIP
expect_ne "$RESULT" ok
expect_eq "$STATUS" - "an answer"
expect_eq "$(peer_stat a requests)" "$requests" "requests that came"
expect_soon 5 eval '[ "$(counter a killed)" -ge 1 ]'

t "a quarantine ends what it sent there, and lets nothing more through"
expect_ok sg reset a
peer_ctl a answer ok
inside pool_start $VIP 3 --hold 60000
expect_ok sg quarantine a --reason test
expect_match "$OUT" "*3 connections killed, 0 survivors*"
pool_wait 5
requests=$(peer_stat a requests)
inside call $VIP --timeout 500
expect_ne "$RESULT" ok
expect_eq "$(peer_stat a requests)" "$requests" "requests that came"
expect_ok sg release a
inside expect_answer $VIP 200
rewrite_stop

t "a server at the address that is asked for is one, wherever its connects go"
rewrite "$CG" 10.99.0.2:80 127.0.0.1:3002
inside expect_answer 10.99.0.2:80 200
expect_soon 5 eval '[ "$(counter service requests)" -eq 1 ]'
peer_ctl behind answer 503
for _ in 1 2 3; do
	inside expect_answer 10.99.0.2:80 503
done
expect_server service state open
inside expect_denied 10.99.0.2:80
rewrite_stop

t "one in front is named so: there a server is seen only where it really is"
stop_daemon
expect_ok "$BUILD/switchgear" --pin-dir "$PINS" --state-dir "$STATE" detach
rewrite "$CG/inner" 10.99.0.2:80 127.0.0.1:3002
rm -f "$STATE"/*
start_daemon --cgroup "$CG/inner" --attach
expect_match "$(status health.degraded)" '*svc_connect4* (id *) sees connects*before Switchgear*'
expect_match "$(cat "$LOG")" '*foreign: the BPF program "svc_connect4" (id *'
inside expect_answer 10.99.0.2:80 503
expect_eq "$(counter service connects)" 0
rewrite_stop

finish
