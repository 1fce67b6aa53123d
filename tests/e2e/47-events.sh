#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Whose calls they were and why they ended: each event says it, `show` sums it up for the
# last hour, the metrics count it; and what is missing in sums is said.
. "$(dirname "$0")/lib.sh"

config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"six": { "url": "http://[::1]:3006/mcp" },
	"none": { "url": "http://127.0.0.1:3002/mcp", "breaker": { "open_seconds": 1,
		"half_open_max_seconds": 30 } },
	"many": { "url": "http://127.0.0.1:3003/mcp" }'
peer_start a 127.0.0.1:3001
peer_start six "[::1]:3006"
peer_start many 127.0.0.1:3003
publish "$TOOLS/agent"
start_daemon

# The value at PATH of each call of a server so far, one a line. NAME PATH [KEY=VALUE]...
calls() {
	sg events --calls --json --since 600s --server "$1" >"$TMP/events"
	"$TOOLS/jget" --lines "$TMP/events" "$2" op=call "${@:3}"
}

calls_are() { # NAME HOW-MANY; they come with the daemon's tick
	[ "$(calls "$1" outcome | wc -l)" -eq "$2" ]
}

t "a call's event names process, cgroup and address"
"${IN_CG[@]}" "$TOOLS/agent" --connect 127.0.0.1:3001 >/dev/null &
pid=$!
wait "$pid"
expect_soon 5 calls_are a 1
expect_eq "$(calls a outcome)" success
expect_eq "$(calls a status)" 200
expect_eq "$(calls a pid)" "$pid"
expect_eq "$(calls a comm)" agent
expect_eq "$(calls a address)" 127.0.0.1:3001
if [ ! -e "$CG_ROOT/cgroup.events" ]; then
	expect_eq "$(calls a cgroup)" "/${CG##*/}"
else # a namespace or a mount may begin below the root: it is at the end all the same
	expect_match "$(calls a cgroup)" "*/${CG##*/}"
fi
expect_match "$(sg events --calls --since 600s --server a)" \
	"*success (answer), HTTP 200, *, 127.0.0.1:3001, pid $pid agent in /*${CG##*/}*"

t "one that was refused names the address that was asked for"
expect_error 127.0.0.1:3002 ECONNREFUSED
expect_soon 5 calls_are none 1
expect_eq "$(calls none cause) $(calls none address)" "refused 127.0.0.1:3002"

t "an address of IPv6 is in brackets"
expect_answer "[::1]:3006" 200
expect_soon 5 calls_are six 1
expect_eq "$(calls six address)" "[::1]:3006"

t "the name of a process is foreign text: it stays one line of text"
evil=$(printf 'a"b\nc\033[1m\\\377')
cp "$TOOLS/agent" "$PUBLIC/$evil"
in_cg "$PUBLIC/$evil" --connect "[::1]:3006" >/dev/null
expect_soon 5 calls_are six 2
expect_ok "$TOOLS/jget" --check <(tail -n 1 "$TMP/events")
want='"comm":"a\"b\nc\u001b[1m'$(printf '\\\\\357\277\275",')
expect_eq "$(tail -n 1 "$TMP/events" | grep -cF -- "$want")" 1 "comm $want"
sg events --calls --since 600s --server six >"$TMP/text"
expect_eq "$(wc -l <"$TMP/text")" 2 "lines"
expect_eq "$(LC_ALL=C tr -d '\n' <"$TMP/text" | LC_ALL=C tr -dc '\000-\037\177' | wc -c)" 0 \
	"control characters"

t "what was recorded is what simulate reads"
sg events --calls --json --since 600s >"$TMP/recorded"
echo '{}' >"$TMP/policy"
expect_ok "$BUILD/switchgear" simulate --policy "$TMP/policy" --summary --json "$TMP/recorded"
expect_eq "$(tail -n 1 <<<"$OUT" | "$TOOLS/jget" - summary.calls)" "$(grep -c '"op":"call"' "$TMP/recorded")"

t "the daemon's own probes are its own"
agent --connect 127.0.0.1:3002 --count 2 >/dev/null
expect_soon 10 eval '[ "$(calls none by | grep -c "^switchgear$")" -ge 1 ]'
expect_eq "$(calls none pid by=switchgear | wc -l)" 0 "processes of these"
expect_match "$(sg events --calls --since 600s --server none)" "*hard (refused)*(by switchgear)*"

t "show sums by class and cause"
peer_ctl a answer 503
agent --connect 127.0.0.1:3001 --count 2 >/dev/null
peer_ctl a answer ok
agent --connect 127.0.0.1:3001 --count 3 >/dev/null
expect_soon 5 calls_are a 6
expect_eq "$(server a 'causes[cause=answer].calls') $(server a 'causes[cause=answer].class')" \
	"4 success"
expect_eq "$(server a 'causes[cause=status].calls') $(server a 'causes[cause=status].class')" \
	"2 hard"
expect_eq "$(server a causes.#)" 2
expect_eq "$(server a causes_lost)" 0
sg show a >"$TMP/text"
expect_match "$(cat "$TMP/text")" "*last hour *4 success answer, the latest at 20*Z after *ms*"
expect_match "$(cat "$TMP/text")" "*2 hard status, the latest at *"
expect_eq "$(grep -c "records were lost" "$TMP/text")" 0

t "so do the metrics"
sg metrics >"$TMP/metrics"
expect_eq "$(sed -n 's/^switchgear_causes_total{server="a",class="success",cause="answer"} //p' "$TMP/metrics")" 4
expect_eq "$(sed -n 's/^switchgear_causes_total{server="a",class="hard",cause="status"} //p' "$TMP/metrics")" 2
expect_eq "$(grep -c '^# TYPE switchgear_causes_corrected_total counter' "$TMP/metrics")" 1

t "records that found the ring full are missing, and that is said"
expect_ok sg force none disabled # nothing else is recorded meanwhile
freeze_daemon
agent --connect 127.0.0.1:3003 --keepalive --count 7000 --timeout 60000 >/dev/null
thaw_daemon
lost() {
	[ "$(server many causes_lost)" -gt 0 ]
}
expect_soon 10 lost
counted=$(server many 'causes[cause=answer].calls')
expect_eq $((counted + $(server many causes_lost))) 7000 "counted and lost"
expect_eq "$(server many causes_lost)" "$(status health.lost_events)"
expect_match "$(sg show many)" "*records were lost: sums are incomplete*"

finish
