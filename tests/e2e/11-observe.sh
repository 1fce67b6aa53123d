#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Observe mode, shadow and disabled: what would have been done is counted, and
# nothing is done.
. "$(dirname "$0")/lib.sh"

SERVERS='"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"b": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH" }'
config "$SERVERS"

t "observe by option: every connect goes through, and what would be refused is counted"
start_daemon --mode observe
expect_eq "$(status daemon.mode)" observe
expect_eq "$(agent_counts 127.0.0.1:3001 --count 8)" "8 error ECONNREFUSED -"
expect_server a state open
expect_eq "$(counter a would_deny)" 5
expect_eq "$(counter a denied)" 0
expect_eq "$(counter a connect_failures.refused)" 8

t "observe: pooled connections live on"
peer_start b 127.0.0.1:3002
steps_start 127.0.0.1:3002
expect_step ok - 200 call 2
peer_ctl b answer 503
for _ in 1 2 3 4 5; do
	expect_step ok - 503 call 1
done
expect_server b state open
peer_ctl b answer ok
expect_step ok - 200 call 1
expect_step ok - 200 call 2
expect_within "$(counter b would_deny)" 2 6
expect_eq "$(counter b killed)" 0
steps_stop

t "enforce after it: the breaker that is open bites"
stop_daemon
start_daemon --mode enforce
expect_eq "$(status daemon.mode)" enforce
expect_server a state open
expect_denied 127.0.0.1:3001

t "observe by configuration file"
stop_daemon
sed -i 's/"mode": "enforce"/"mode": "observe"/' "$CONFIG"
start_daemon
expect_eq "$(status daemon.mode)" observe
expect_error 127.0.0.1:3001 ECONNREFUSED
stop_daemon
config "$SERVERS"
start_daemon

t "shadow: one server decides and reports, and enforces nothing"
expect_ok sg reset a
expect_ok sg reset b
expect_ok sg force b shadow
expect_server b state shadow
expect_server b verdict allow
would=$(counter b would_deny) denied=$(counter b denied)
peer_ctl b answer 503
expect_eq "$(agent_counts 127.0.0.1:3002 --count 6)" "6 ok - 503"
expect_eq "$(($(counter b would_deny) - would))" 3
expect_eq "$(counter b denied)" "$denied"
expect_eq "$(agent_counts 127.0.0.1:3001 --count 4)" \
	"3 error ECONNREFUSED -"$'\n'"1 error $DENIED -" "the other server"

t "disabled: nothing is counted, nothing trips"
expect_ok sg force b disabled
expect_server b state disabled
expect_eq "$(agent_counts 127.0.0.1:3002 --count 6)" "6 ok - 503"
expect_server b breaker.consecutive_failures 0

t "forced closed: failures do not open it"
expect_ok sg force b closed
expect_server b state forced_closed
expect_eq "$(agent_counts 127.0.0.1:3002 --count 6)" "6 ok - 503"
expect_server b verdict allow

t "an order with an end ends"
expect_ok sg trip b --for 1s
expect_server b state forced_open
expect_denied 127.0.0.1:3002
peer_ctl b answer ok
expect_soon 4 eval "agent --connect 127.0.0.1:3002 | grep -q ' ok - 200 '"

t "quarantine wins over every order"
expect_ok sg force b closed
expect_ok sg quarantine b --reason test
expect_denied 127.0.0.1:3002
expect_ok sg release b
expect_server b state forced_closed
expect_answer 127.0.0.1:3002 200

finish
