#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# SIGHUP reloads the configuration as a whole: a bad file changes nothing, what
# did not change keeps its state.
. "$(dirname "$0")/lib.sh"

A='"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
B='"b": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH" }'
config "$A"
peer_start a 127.0.0.1:3001
peer_start b 127.0.0.1:3002
start_daemon

reload() {
	kill -HUP "$DAEMON"
}

metric() { # NAME
	sg metrics | sed -n "s/^$1 //p"
}

# A reload that must change nothing; it is over when the daemon has answered it.
reload_badly() { # PATTERN that the log must say [GLOB of what is degraded]
	local lines loaded

	loaded=$(metric switchgear_config_last_reload_success_timestamp_seconds)
	sg status --json >"$TMP/before"
	lines=$(log_lines "$1")
	reload
	expect_soon 5 eval "[ \$(log_lines '$1') -gt $lines ]"
	expect_eq "$(status servers.#)" "$("$TOOLS/jget" "$TMP/before" servers.#)" "servers"
	expect_eq "$(status daemon.pid)" "$DAEMON" "pid"
	expect_match "$(status health.degraded)" "*latest reload*failed*stays: *${2:-$1}*correct it*"
	expect_eq "$(metric switchgear_config_last_reload_successful)" 0
	expect_eq "$(metric switchgear_config_last_reload_success_timestamp_seconds)" "$loaded"
	expect_denied 127.0.0.1:3001
	expect_answer 127.0.0.1:3002 200
}

t "a server that is added is protected, the others keep their state"
peer_ctl a answer 503
agent --connect 127.0.0.1:3001 --count 3 >/dev/null
expect_server a state open
generation=$(server a breaker.generation)
expect_answer 127.0.0.1:3002 200
config "$A, $B"
reload
expect_soon 5 eval '[ "$(server b state)" = closed ]'
expect_server a state open
expect_server a breaker.generation "$generation"
expect_denied 127.0.0.1:3001
expect_ok sg quarantine b --reason test
expect_denied 127.0.0.1:3002
expect_ok sg release b

t "broken JSON changes nothing and is reported with its line"
printf '{\n  "mcpServers": {\n' >"$CONFIG"
reload_badly "$CONFIG:[0-9]" "$CONFIG:[0-9]*"

t "an unknown key changes nothing"
config "${A/deny_errno/deny_error}, $B"
reload_badly deny_error

t "a missing file changes nothing"
rm "$CONFIG"
reload_badly "$CONFIG"

# What systemd does for `systemctl reload`: one command after the other, until one fails.
unit_reload() {
	# shellcheck disable=SC2034 # the lines have them
	local SWITCHGEARD_OPTIONS="${DAEMON_ARGS[*]} --metrics off" MAINPID=$DAEMON line

	while read -r line; do
		line=${line//@PREFIX@\/sbin/$BUILD}
		# shellcheck disable=SC2086 # words, as in a unit
		eval "in_cg $line" || return
	done < <(sed -n 's/^ExecReload=//p' "$E2E_DIR/../../dist/switchgeard.service")
}

t "the unit's reload fails with a broken file, says why, and signals nobody"
printf '{\n  "mcpServers": {\n' >"$CONFIG"
lines=$(log_lines .)
expect_status 1 unit_reload
expect_match "$OUT" "*$CONFIG:[0-9]*"
expect_eq "$(log_lines .)" "$lines" "lines of the log"

t "and with a right one it reloads, while the daemon has its addresses"
reloaded=$(log_lines "the configuration was reloaded")
config "$A, $B"
expect_ok unit_reload
expect_soon 5 eval "[ \$(log_lines 'the configuration was reloaded') -gt $reloaded ]"
rm "$CONFIG"
reload_badly "$CONFIG"

t "a good one ends that, and is counted with its time"
loaded=$(metric switchgear_config_last_reload_success_timestamp_seconds)
expect_within "$loaded" $(($(now_ms) / 1000 - 300)) $(($(now_ms) / 1000 + 1)) "its time"
config "$A, $B"
reload
expect_soon 5 eval '[ "$(metric switchgear_config_last_reload_successful)" = 1 ]'
expect_ne "$(metric switchgear_config_last_reload_success_timestamp_seconds)" "$loaded" "its time"
expect_degraded

t "changed numbers hold from then on"
config "\"a\": { \"url\": \"http://127.0.0.1:3001/mcp\", \"deny_errno\": \"EACCES\",
	\"breaker\": { \"consecutive_failures\": 5 } }, $B"
reload
expect_soon 5 eval '[ "$(agent --connect 127.0.0.1:3001 | cut -d " " -f 3)" = $(refusal EACCES) ]'
expect_ok sg reset a
expect_eq "$(agent_counts 127.0.0.1:3001 --count 6)" "5 ok - 503"$'\n'"1 error $(refusal EACCES) -"

t "a server that is removed is untouched from then on, but for its quarantine"
expect_ok sg quarantine b --reason test
expect_denied 127.0.0.1:3002
config "$A"
reload
expect_soon 5 eval '[ "$(server b orphan)" = true ]'
expect_denied 127.0.0.1:3002
expect_ok sg release b
expect_soon 5 eval '[ "$(status servers.#)" = 1 ]'
expect_answer 127.0.0.1:3002 200

t "a server whose address changes is protected at the new one only"
expect_ok sg trip a
config "${A/3001/3002}"
reload
expect_soon 5 eval '[ "$(server a endpoints.0.port)" = 3002 ]'
expect_denied 127.0.0.1:3002
peer_ctl a answer ok
expect_answer 127.0.0.1:3001 200

t "names are resolved"
config '"named": { "url": "http://localhost:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
reload
expect_soon 10 eval '[ "$(server named endpoints.0.address)" = 127.0.0.1 ] ||
	[ "$(server named endpoints.1.address)" = 127.0.0.1 ]'
expect_ok sg quarantine named --reason test
expect_denied 127.0.0.1:3001
expect_ok sg release named

t "a name that does not resolve is degraded, not fatal, and blocks nothing"
config '"named": { "url": "http://localhost:3001/mcp" },
	"lost": { "url": "http://no-such-host.invalid:3001/mcp" }'
reload
expect_soon 10 eval '[ "$(status servers.#)" = 2 ]'
start=$(now_ms)
expect_ok sg status
expect_ms $(($(now_ms) - start)) 500 "ms of status"
expect_server lost endpoints.# 0

finish
