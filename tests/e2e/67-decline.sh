#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A server declines, as agents and operators see it: it gets slow, then erroneous, then a scanner
# finds something. Server and clients are those of the official SDK. How it recovers takes weeks:
# what was recorded here goes through `simulate`, and time goes on there.
. "$(dirname "$0")/lib.sh"

command -v npm >/dev/null || {
	t_skip "a server of the official SDK" "npm is not installed"
	finish
}
NODE=$BUILD/demo/node_modules/node/bin/node
DAY=86400
TRUST+=', "evidence_bucket_seconds": 1'
config '"alpha": { "url": "http://127.0.0.1:3001/mcp", "group": "search",
		"breaker": { "consecutive_failures": 5, "open_seconds": 600 } },
	"beta": { "url": "http://127.0.0.1:3002/mcp", "group": "search" }'

# What ails a server is in a file; its code is that of its authors.
cat >"$TMP/ailing.mjs" <<'END'
import { readFileSync } from "node:fs";
import { Server } from "node:http";
const emit = Server.prototype.emit;
Server.prototype.emit = function (type, request, response) {
	const go = () => emit.call(this, type, request, response);
	const ails = type === "request" ? readFileSync(process.env.AILS, "utf8").trim() : "";
	if (ails === "slow")
		setTimeout(go, 2000);
	else if (ails === "erroneous")
		response.writeHead(500, { "content-type": "application/json" }).end("{}");
	else
		return emit.apply(this, arguments);
	return true;
};
END
ails() { # NAME WHAT
	echo "$2" >"$TMP/$1.ails"
}
sdk_server() { # NAME PORT
	ails "$1" nothing
	env "PORT=$2" "AILS=$TMP/$1.ails" "${IN_CG[@]}" "$NODE" --import "$TMP/ailing.mjs" \
		"$BUILD/demo/node_modules/.bin/mcp-server-everything" streamableHttp >"$TMP/$1.log" 2>&1 &
	PIDS+=("$!")
	expect_soon 15 grep -q listening "$TMP/$1.log"
}
sdk_clients() { # PORT CLIENTS CALLS
	in_cg "$NODE" "$BUILD/demo/sdk.mjs" "http://127.0.0.1:$1/mcp" "$2" "$3" 2>&1
}
number() { # NAME PATH: of what `explain` says
	sg explain "$1" --json >"$TMP/explain"
	"$TOOLS/jget" "$TMP/explain" "$2"
}
below() { # A B WHAT
	pass
	awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }' || fail "$3: $1 is not below $2"
}
chosen() { # NAME
	sg select --group search | head -n 1 | grep -q "^$1"
}

t "the packages are there"
expect_ok "$E2E_DIR/../demo/packages" "$BUILD/demo"
expect_ok add_scripts "$BUILD/demo" "$E2E_DIR/sdk.mjs"
[ "$T_FAILED" -eq 0 ] || finish
start_daemon
sdk_server alpha 3001
sdk_server beta 3002

t "as long as it is well it is trusted more with each call, and chosen"
FIRST=$(number alpha score)
expect_eq "$(sdk_clients 3001 6 10)" "ok 60"
expect_eq "$(sdk_clients 3002 1 2)" "ok 2"
expect_soon 5 eval '[ "$(counter alpha responses.2xx)" -ge 60 ]'
WELL=$(number alpha score)
below "$FIRST" "$WELL" "the score before the calls"
expect_ok chosen alpha

t "slow: the score falls, and why is told; nothing else happens"
ails alpha slow
expect_eq "$(sdk_clients 3001 6 2)" "ok 12"
expect_soon 5 eval 'awk -v a="$(number alpha score)" -v b='"$WELL"' "BEGIN { exit !(a < b) }"'
SLOW_SCORE=$(number alpha score)
expect_server alpha state closed
expect_match "$(sg show alpha)" "*trust *"

t "erroneous: its breaker opens, and another is chosen"
ails alpha erroneous
for _ in 1 2 3; do
	sdk_clients 3001 4 1 >/dev/null
done
expect_server_soon alpha state open
below "$(number alpha score)" "$SLOW_SCORE" "the score of an erroneous server"
expect_ok chosen beta
expect_match "$(sg select --group search)" "beta*alpha (not usable)*"

t "flagged: security falls, and it is said by whom and for what"
BEFORE=$(number alpha security)
cat >"$TMP/found.sarif" <<'END'
{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scan-x","version":"2.0",
"rules":[{"id":"MCP-7","properties":{"security-severity":"5.5"}}]}},
"properties":{"mcp.server":"alpha"},
"results":[{"ruleId":"MCP-7","level":"warning","message":{"text":"tool reads more than it says"}}]}]}
END
expect_ok sg report "$TMP/found.sarif"
below "$(number alpha security)" "$BEFORE" "security with a finding"
expect_server_soon alpha trust.band degraded
expect_match "$(sg explain alpha)" "*scan-x*MCP-7*tool reads more than it says*"
expect_match "$(sg events --since 1h)" "*finding*alpha*medium: MCP-7*"
expect_ok sg report - <<<'{"source":"scan-x","severity":"high","rule":"MCP-9","server":"alpha","message":"exfiltrates"}'
expect_server_soon alpha quarantine.by "switchgear (trust)"
expect_match "$(sg status)" "*alpha*high finding of scan-x: MCP-9*"

t "history has all of it"
expect_match "$(sg history alpha --since 1h)" "score *state *Q*in quarantine*"
expect_soon 5 eval 'sg history alpha --since 1h | grep -q "open"'
sg history alpha --since 1h --json >"$TMP/history"
N=$("$TOOLS/jget" "$TMP/history" samples.#)
below "$("$TOOLS/jget" "$TMP/history" "samples.$((N - 1)).score")" \
	"$("$TOOLS/jget" "$TMP/history" samples.0.score)" "the score at the end of the history"

# --- and then: what was recorded, and weeks of time ---------------------------------------------

# The calls as they were, what the scanner said of them, and that it is mended.
sg events --calls --json --since 1h --server alpha | grep '"op":"call"' >"$TMP/calls.jsonl"
END_S=$("$TOOLS/jget" --lines "$TMP/calls.jsonl" t | sort -g | tail -n 1)
at() { # SECONDS-AFTER
	awk -v a="$END_S" -v b="$1" 'BEGIN { printf "%.6f", a + b }'
}
ask() { # SECONDS-AFTER
	echo "{\"t\":$(at "$1"),\"op\":\"trust\",\"server\":\"alpha\"}"
}
find_it() { # SECONDS-AFTER SEVERITY
	echo "{\"t\":$(at "$1"),\"op\":\"finding\",\"server\":\"alpha\",\"severity\":\"$2\"}"
}
good_calls() { # FROM N: one a second
	awk -v from="$(at "$1")" -v n="$2" 'BEGIN { for (i = 0; i < n; i++)
		printf "{\"t\":%.6f,\"op\":\"call\",\"server\":\"alpha\",\"outcome\":\"success\",\"latency\":0.01}\n", from + i }'
}
{
	cat "$TMP/calls.jsonl"
	ask 1
	find_it 2 medium
	ask 2
	find_it 3 clean
	ask 3
	good_calls 10 600
	for day in 1 2 4 8 16; do
		ask $((day * DAY))
	done
} >"$TMP/weeks.jsonl"
# Its own breaker is not to refuse any of them.
echo '{ "breaker": { "consecutive_failures": 1000, "window_calls": 0 },
	"trust": { "evidence_bucket_seconds": 1 } }' >"$TMP/policy.json"

t "the same calls give the same performance in simulate as in the daemon"
expect_ok "$BUILD/switchgear" simulate --policy "$TMP/policy.json" "$TMP/weeks.jsonl"
grep '"op":"trust"' <<<"$OUT" >"$TMP/trust.jsonl"
field() { # LINE PATH
	sed -n "$1p" "$TMP/trust.jsonl" >"$TMP/line"
	"$TOOLS/jget" "$TMP/line" "$2"
}
expect_eq "$(grep -c . "$TMP/trust.jsonl")" 8 "answers"
# after seconds of other work P has faded by a little
awk -v a="$(field 1 factors.performance)" -v b="$(number alpha performance)" \
	'BEGIN { d = a - b; exit !(d < 0.1 && d > -0.1) }' || fail "P $(field 1 factors.performance), $(number alpha performance)"

t "it recovers as slowly as the model says: 0.05 of security a day"
below "$(field 2 factors.security)" "$(field 1 factors.security)" "security when it is found"
CLEAN=$(field 3 factors.security)
i=4
for day in 1 2 4 8 16; do
	awk -v s="$(field $i factors.security)" -v clean="$CLEAN" -v d=$day \
		'BEGIN { most = clean + 0.05 * d + 1e-6; exit !(s <= most && s >= clean - 1e-9) }' ||
		fail "day $day: security $(field $i factors.security), was $CLEAN"
	pass
	[ $i -eq 4 ] || below "$(field $((i - 1)) factors.security)" "$(field $i factors.security)" "day $day"
	i=$((i + 1))
done
expect_eq "$(field 8 restricted)" false "restricted"

finish
