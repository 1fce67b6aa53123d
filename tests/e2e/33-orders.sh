#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Orders have an author and a reason, and say so when they change nothing.
. "$(dirname "$0")/lib.sh"

config '"search": { "url": "http://127.0.0.1:3001/mcp", "breaker": { "window_calls": 20 } },
	"other": { "url": "http://127.0.0.1:3002/mcp" }'
peer_start search 127.0.0.1:3001
start_daemon

BY="root (uid 0), pid +([0-9]) (switchgear)"
shopt -s extglob

t "trip, force and reset take a reason: event, log, show and status tell who gave it, and why"
expect_ok sg trip search --reason "deploy 17" --for 1h
expect_server search order.state forced_open
expect_server search order.reason "deploy 17"
expect_match "$(server search order.by)" "$BY"
expect_match "$(server search order.since)" "20*T*Z"
expect_match "$(server search order.until)" "20*T*Z"
expect_server other order null
sg events --json >"$TMP/out"
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" text event=transition to=forced_open)" "deploy 17"
expect_match "$("$TOOLS/jget" --lines "$TMP/out" by event=transition to=forced_open)" "$BY"
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" reason event=transition to=forced_open)" manual
expect_match "$(sg events)" "*forced_open (manual)*: deploy 17 (by $BY)*"
expect_match "$(sg show search)" "*order*forced_open by $BY since 20* until 20*: deploy 17*"
expect_match "$(sg status)" "*order: search: forced_open by $BY since 20*: deploy 17*"
expect_match "$(log_lines "by root (uid 0), pid .*deploy 17")" 1 "log lines"

t "it survives the end of the daemon, also an unexpected one"
stop_daemon
start_daemon
expect_server search order.reason "deploy 17"
expect_match "$(server search order.by)" "$BY"
kill -9 "$DAEMON"
wait "$DAEMON" 2>/dev/null
start_daemon
expect_server search order.reason "deploy 17"

t "a reset ends it, and has an author and a reason itself"
expect_ok sg reset search --reason "deployed"
expect_eq "$OUT" "search: reset, now closed"
expect_server search order null
sg events --json >"$TMP/out"
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" text event=transition reason=reset)" deployed
expect_match "$("$TOOLS/jget" --lines "$TMP/out" by event=transition reason=reset)" "$BY"

t "so do force, quarantine and release; its end by time has none"
expect_ok sg force search shadow --reason "trial" --for 0.2s
expect_server search order.state shadow
expect_server search order.reason trial
expect_server_soon search order null
expect_ok sg quarantine search --reason "case 4"
expect_match "$(server search quarantine.by)" "$BY"
expect_ok sg release search --reason "case closed"
sg events --json >"$TMP/out"
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" text event=transition to=shadow)" trial
expect_eq "$(grep force_expired "$TMP/out" | grep -c '"by"')" 0
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" text event=release)" "case closed"
expect_match "$("$TOOLS/jget" --lines "$TMP/out" by event=release)" "$BY"

t "what changes nothing says so, as text and as JSON, and is no event"
expect_ok sg release search
expect_eq "$OUT" "search: is not in quarantine"
expect_ok sg release search --json
expect_match "$OUT" '*"unchanged":true*'
sg reset search >/dev/null
expect_ok sg reset search
expect_eq "$OUT" "search: has nothing to reset"
expect_ok sg reset search --json
expect_match "$OUT" '*"unchanged":true*'
sg events --json >"$TMP/out"
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" event event=release | wc -l)" 1

t "a closed breaker with calls behind it has a history to forget, which is an event"
expect_eq "$(agent_counts 127.0.0.1:3001 --count 3)" "3 ok - 200"
expect_ok sg reset search --reason "begin anew"
expect_eq "$OUT" "search: reset, now closed"
sg events --json >"$TMP/out"
expect_eq "$("$TOOLS/jget" --lines "$TMP/out" text event=reset)" "begin anew"
expect_match "$("$TOOLS/jget" --lines "$TMP/out" by event=reset)" "$BY"
expect_match "$(sg events)" "*history forgotten: begin anew (by $BY)*"

t "a reason that cannot be one is refused, and nothing is done"
expect_status 2 sg trip search --reason "$(printf '%0300d' 1)"
expect_match "$OUT" "*--reason is longer than 255 bytes*"
expect_status 1 sg trip search --reason $'a\nb'
expect_match "$OUT" "*reason must not contain control characters*"
expect_server search state closed

finish
