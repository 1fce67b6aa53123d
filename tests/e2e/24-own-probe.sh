#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The daemon's own probe goes first: a server heals without any agent's call.
. "$(dirname "$0")/lib.sh"

AT=127.0.0.1:3001
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH",
		"breaker": { "open_seconds": 1, "half_open_max_seconds": 30 } },
	"two": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH",
		"breaker": { "open_seconds": 1, "half_open_probes": 2, "half_open_max_seconds": 30,
			"half_open_failure_rate": 0.5 } }'

# By the word of two callers, so that the daemon does not look at once whether that is so.
open_now() { # NAME ADDR:PORT: nobody listens there
	agent --connect "$2" --count 2 >/dev/null
	AGENT_AS=(--uid 65534)
	agent --connect "$2" --count 1 >/dev/null
	AGENT_AS=()
	expect_server "$1" state open
}

publish "$TOOLS/agent"
start_daemon
open_now a $AT

generation_is_past() { # NUMBER
	[ "$(server a breaker.generation)" -gt "$1" ]
}

t "a server that is still dead is found dead by the daemon, and no agent pays for it"
expect_soon 5 generation_is_past $(($(server a breaker.generation) + 1))
expect_match "$(sg events --since 60s --server a)" "*half_open*open*half_open_failed*"
expect_eq "$(counter a denied)" 0 "agents refused"

t "it is an MCP peer again: closed, without a call of any agent"
peer_start a $AT --answer ok
expect_server_soon a state closed 10
expect_match "$(sg events --since 60s --server a)" "*closed*probes_passed*"
expect_answer $AT 200

t "of two probes the first is the daemon's, the second an agent's"
open_now two 127.0.0.1:3002
peer_start two 127.0.0.1:3002 --answer ok
expect_server_soon two state half_open 10
expect_soon 5 eval '[ "$(peer_stat two requests)" -ge 1 ]'
expect_server two state half_open
expect_answer 127.0.0.1:3002 200
expect_server_soon two state closed

t "who asks it for credentials is alive"
peer_ctl a answer 503
agent --connect $AT --count 3 >/dev/null
expect_server a state open
peer_ctl a answer 401
expect_server_soon a state closed 10
expect_match "$(sg events --since 60s --server a | tail -n 1)" "*half_open -> closed (probes_passed*"

t "who says that it asks too often has told nothing"
peer_ctl a answer 503
agent --connect $AT --count 3 >/dev/null
expect_server a state open
peer_ctl a answer 429
generation=$(server a breaker.generation)
requests=$(peer_stat a requests)
more_requests() {
	[ "$(peer_stat a requests)" -gt "$requests" ]
}
expect_soon 5 more_requests
expect_server_soon a state half_open
expect_soon 5 eval 'sg status --json | grep -q "rate limited (HTTP status 429)"'
peer_ctl a answer ok
expect_soon 5 eval "agent --connect $AT | grep -q ' ok - 200 '"
expect_server_soon a state closed
expect_eq "$(server a breaker.generation)" $((generation + 2))

t "a daemon that hangs: after its lease the first call is the probe"
peer_ctl a answer 503
agent --connect $AT --count 3 >/dev/null
expect_server a state open
opened=$(now_ms)
freeze_daemon
until_ms $((opened + 1050)) # open_seconds is 1
peer_ctl a answer ok
expect_answer $AT 200
expect_answer $AT 200
thaw_daemon
expect_server_soon a state closed

finish
