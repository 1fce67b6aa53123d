#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Metrics: valid Prometheus text, on the metrics address and from the command
# line, with the numbers of the status.
. "$(dirname "$0")/lib.sh"

config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"we\"ird\\name": { "url": "http://127.0.0.1:3002/mcp" }'
"$BUILD/switchgeard" --config "$CONFIG" --check >/dev/null 2>&1 ||
	config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a 127.0.0.1:3001
METRICS=127.0.0.1:9464
start_daemon

scrape() {
	agent --connect $METRICS --get --path /metrics --body "$TMP/metrics"
}

# The value of the first sample whose line has every word.
sample() {
	local lines word

	lines=$(grep -v '^#' "$TMP/metrics")
	for word in "$@"; do
		lines=$(grep -F -- "$word" <<<"$lines")
	done
	head -n 1 <<<"$lines" | sed 's/.* //'
}

agent --connect 127.0.0.1:3001 --count 5 >/dev/null
peer_ctl a answer 503
agent --connect 127.0.0.1:3001 --count 5 >/dev/null

t "the metrics address answers"
call_read "$(scrape)"
expect_eq "$RESULT $STATUS" "ok 200"
expect_within "$(grep -c '^switchgear_' "$TMP/metrics")" 20 10000 "samples"

if command -v promtool >/dev/null; then
	t "promtool accepts it, from both sources"
	expect_status 0 promtool check metrics <"$TMP/metrics"
	sg metrics >"$TMP/from-cli"
	expect_within "$(grep -c '^switchgear_' "$TMP/from-cli")" 20 10000 "samples"
	expect_status 0 promtool check metrics <"$TMP/from-cli"
elif [ -z "${E2E_GUEST:-}" ]; then # a guest has no promtool, and text is no kernel's matter
	t_skip "promtool accepts it, from both sources" "promtool is not installed"
fi

t "every family has HELP and TYPE, counters end in _total"
bad=0
expect_within "$(grep -c '^# HELP ' "$TMP/metrics")" 15 1000 "families"
while read -r name; do
	grep -q "^# TYPE $name " "$TMP/metrics" || bad=$((bad + 1))
done < <(sed -n 's/^# HELP \([a-z_0-9]*\) .*/\1/p' "$TMP/metrics")
expect_eq $bad 0 "families without TYPE"
expect_eq "$(sed -n 's/^# TYPE \([a-z_0-9]*\) counter/\1/p' "$TMP/metrics" | grep -vc '_total$')" 0

t "it has what the contract names"
for word in connects failures responses denied killed dropped events_lost map program selftest \
	state; do
	expect_within "$(grep -c "^switchgear_.*$word" "$TMP/metrics")" 1 1000 "samples of $word"
done
expect_within "$(grep -c '_bucket{.*le="' "$TMP/metrics")" 10 10000 "histogram buckets"

t "its numbers are those of the status"
expect_eq "$(sample connects_total 'server="a"')" "$(counter a connects)"
expect_eq "$(sample denied_total 'server="a"')" "$(counter a denied)"
expect_eq "$(sample responses 'server="a"' 5xx)" 3
expect_eq "$(sample responses 'server="a"' 2xx)" 5

t "other paths are not there, other methods are refused"
call_read "$(agent --connect $METRICS --get --path /nothing)"
expect_eq "$STATUS" 404
call_read "$(agent --connect $METRICS --post --path /metrics)"
expect_match "$STATUS" "40[45]"

t "scraping while the breaker opens changes nothing"
expect_server a state open
call_read "$(scrape)"
expect_eq "$RESULT $STATUS" "ok 200"

t "a slow reader does not stop the daemon"
steps_start $METRICS --get --path /metrics
expect_step ok - - open 1
expect_step ok - - part 1 10
start=$(now_ms)
expect_ok sg status
expect_ms $(($(now_ms) - start)) 500 "ms of status"
steps_stop

finish
