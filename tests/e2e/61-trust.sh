#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What a server's calls and a scanner's findings do to the trust in it: told, explained, kept over
# restarts, and carried out as a quarantine that an operator can end.
. "$(dirname "$0")/lib.sh"

config '"good": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"bad": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH",
		"breaker": { "consecutive_failures": 100 } },
	"noisy": { "url": "http://127.0.0.1:3003/mcp" },
	"files": { "command": "npx", "args": ["-y", "server-files"] }'
peer_start good 127.0.0.1:3001
peer_start bad 127.0.0.1:3002 --answer 503
peer_start noisy 127.0.0.1:3003
start_daemon

score() { # NAME
	server "$1" trust.score
}
between() { # NUMBER LEAST MOST WHAT
	pass
	awk -v x="$1" -v a="$2" -v b="$3" 'BEGIN { exit !(x >= a && x <= b) }' ||
		fail "$4: $1 is not within $2 to $3"
}
report() { # FILE [OPTION...]
	sg report "$@"
}

t "who is new is not trusted, nor distrusted"
between "$(score good)" 39.9 40.1 "score"
expect_server good trust.band watch
between "$(score files)" 39.9 40.1 "score of one that is run as a command"

t "calls count"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	agent --connect 127.0.0.1:3001 >/dev/null
	agent --connect 127.0.0.1:3002 >/dev/null
	agent --connect 127.0.0.1:3003 >/dev/null
done
expect_soon 5 eval 'awk -v x="$(score good)" "BEGIN { exit !(x > 55) }"'
expect_soon 5 eval 'awk -v x="$(score bad)" "BEGIN { exit !(x < 25) }"'
expect_server bad trust.band degraded
expect_server bad state closed
expect_server bad quarantine null # that is the breaker's business

t "explain tells what the score is made of, and it adds up"
sg explain good --json >"$TMP/explain"
awk -v s="$("$TOOLS/jget" "$TMP/explain" security)" -v p="$("$TOOLS/jget" "$TMP/explain" performance)" \
	-v c="$("$TOOLS/jget" "$TMP/explain" community)" -v w="$("$TOOLS/jget" "$TMP/explain" community_weight)" \
	'BEGIN { printf "%.9f", 100 * s * ((1 - w) * p + w * c) }' >"$TMP/sum"
expect_eq "$(printf %.9f "$("$TOOLS/jget" "$TMP/explain" score)")" "$(cat "$TMP/sum")" "as computed"
expect_match "$(sg explain good)" "good: *, watch*performance 0.*security 0.8*without a recent scan*community 0.5000*"
expect_match "$(sg explain good)" "*what would raise it*a clean scan*"
expect_match "$(sg show good)" "*trust *performance*"

sarif() { # SERVER [RESULT]
	cat <<END
{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scanner","version":"1.0",
"rules":[{"id":"R1","properties":{"security-severity":"8.1"}}]}},
"properties":{"mcp.server":"$1"},"results":[${2:-}]}]}
END
}

t "a clean scan raises it"
sarif good >"$TMP/clean.sarif"
BEFORE=$(score good)
expect_ok report "$TMP/clean.sarif"
expect_match "$OUT" "good: scanned clean, score *, was *"
between "$(score good)" "$(awk -v x="$BEFORE" 'BEGIN { print x * 1.2 }')" 100 "score"

t "low findings lower it, and restrict nothing"
expect_ok report - <<<'{"source":"s","severity":"low","rule":"r","server":"good","message":"m"}'
expect_match "$OUT" "good: 1 finding, 0 of them known, *"
expect_ok report - <<<'{"source":"s","severity":"low","rule":"r","server":"good","message":"m"}'
expect_match "$OUT" "good: 1 finding, 1 of them known, *"
expect_match "$(sg explain good)" "*low*s *r: m*"
expect_server good quarantine null

t "what is of no server here is said, and no success"
expect_refused sg report "$TMP/clean.sarif" --server nobody
sarif elsewhere >"$TMP/elsewhere.sarif"
expect_refused sg report "$TMP/elsewhere.sarif"
expect_match "$OUT" "*elsewhere*nothing in this report is of a server here*"

t "a bad file is refused whole, with its line"
printf '%s\n' '{"source":"s","severity":"high","rule":"x","server":"good"}' '{"source":"s","sev' >"$TMP/bad.json"
BEFORE=$(score good)
expect_refused sg report "$TMP/bad.json"
expect_match "$OUT" "*bad.json:2:*"
expect_server good quarantine null
expect_refused sg report "$TMP/missing.json"

t "a grave finding quarantines, with the evidence as reason"
sarif good '{"ruleId":"R1","message":{"text":"poisoned tool"},"level":"error"}' >"$TMP/found.sarif"
expect_ok report "$TMP/found.sarif"
expect_server_soon good quarantine.by "switchgear (trust)"
expect_match "$(server good quarantine.reason)" "high finding of scanner: R1*poisoned tool*"
expect_denied 127.0.0.1:3001
expect_match "$(cat "$LOG")" "*good: quarantined by switchgear (trust)*high finding of scanner*"
expect_server good trust.strikes 1

t "it holds over a restart, and so do the findings"
stop_daemon
start_daemon
expect_server good quarantine.by "switchgear (trust)"
expect_match "$(sg explain good)" "*in quarantine by rule*high*R1*poisoned tool*"
expect_server good trust.strikes 1

t "a damaged file of trust is set aside, the one before it counts"
kill9_daemon
printf 'x' | dd of="$STATE/trust.json" bs=1 seek=100 conv=notrunc 2>/dev/null
start_daemon
expect_match "$(sg explain good)" "*R1*"
expect_match "$(cat "$LOG")" "*trust.json*set aside*"
expect_denied 127.0.0.1:3001

t "an operator's release waives what is known, and nothing else"
expect_ok sg release good
expect_answer 127.0.0.1:3001 200
kill -HUP "$DAEMON"
pass_time $((2 * SLOW)) "a rule that quarantines again would do so at once"
expect_server good quarantine null
expect_match "$(sg explain good)" "*high (waived)*R1*"
expect_ok report "$TMP/found.sarif"
expect_server good quarantine null
sarif good '{"ruleId":"R2","level":"error","message":{"text":"another"}}' >"$TMP/other.sarif"
expect_ok report "$TMP/other.sarif"
expect_server_soon good quarantine.by "switchgear (trust)"
expect_match "$(server good quarantine.reason)" "*R2*another*"
expect_ok sg release good

t "who asks is told which server to use"
expect_ok sg select
expect_match "$OUT" "noisy*good*bad*files*"
expect_ok sg quarantine noisy --reason test
expect_ok sg select
expect_match "$OUT" "[!n]*noisy (not usable): it is in quarantine*"
expect_refused sg select --group noisy
expect_match "$OUT" "*none of 1 can be used*"
expect_ok sg release noisy

t "a report that lies in the directory is taken, once"
mkdir -m 700 "$TMP/reports"
stop_daemon
start_daemon --findings-dir "$TMP/reports"
sarif noisy '{"ruleId":"R9","level":"note","message":{"text":"dropped"}}' >"$TMP/reports/scan.sarif"
expect_soon 15 eval 'sg explain noisy | grep -q "R9: dropped"'
stop_daemon
start_daemon --findings-dir "$TMP/reports"
pass_time $((3 * SLOW)) "it looks at once, and would say so"
expect_eq "$(grep -c "noisy: 1 finding (" "$LOG")" 1
chmod 777 "$TMP/reports"
expect_soon 15 eval 'status health.degraded | grep -q "others than root may write there"'
chmod 700 "$TMP/reports"

t "forty findings of one noisy scanner do not"
for i in $(seq 40); do
	echo "{\"source\":\"noisy\",\"severity\":\"medium\",\"rule\":\"n$i\",\"server\":\"noisy\"}"
done >"$TMP/noisy.json"
expect_ok report "$TMP/noisy.json"
expect_match "$OUT" "noisy: 40 findings*"
expect_soon 5 eval 'awk -v x="$(score noisy)" "BEGIN { exit !(x < 20) }"'
expect_server noisy quarantine null
finish
