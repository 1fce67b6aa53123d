#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A new daemon takes over what is pinned without a gap: under load no connect
# fails that should not, and none gets through that should not.
. "$(dirname "$0")/lib.sh"

config '"good": { "url": "http://127.0.0.1:3001/mcp" },
	"held": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start good 127.0.0.1:3001
peer_start held 127.0.0.1:3002
join_remote
start_daemon --interface "$DEV"
expect_ok sg quarantine held --reason test

"${IN_CG[@]}" "$TOOLS/agent" --connect 127.0.0.1:3001 --count 10000000 >"$TMP/good" 2>&1 &
GOOD=$!
"${IN_CG[@]}" "$TOOLS/agent" --connect 127.0.0.1:3001 --count 10000000 --keepalive --interval 1 \
	>"$TMP/pooled" 2>&1 &
POOLED=$!
"${IN_CG[@]}" "$TOOLS/agent" --connect 127.0.0.1:3002 --count 10000000 >"$TMP/held" 2>&1 &
HELD=$!
PIDS+=("$GOOD" "$POOLED" "$HELD")
peer_ctl held zero

# Each of them says so many lines more than it has said now.
load_goes_on() { # LINES
	local file n

	for file in good pooled held; do
		n=$(($(wc -l <"$TMP/$file") + $1))
		expect_soon 10 eval '[ "$(wc -l <"$TMP/$file")" -ge '"$n"' ]'
	done
}
load_goes_on 100

# Programs that bite in our cgroup: the same number before and after, none twice.
attached() {
	bpftool cgroup show "$CG" 2>/dev/null | grep -c ' sg_'
}

pinned() {
	find "$PINS" -type f | sort | tr '\n' ' '
}

programs=$(attached)
pins=$(pinned)

t "stopped and started again, three times, under load"
for _ in 1 2 3; do
	stop_daemon
	expect_eq "$DAEMON_STATUS" 0 "exit status"
	start_daemon --interface "$DEV"
done

t "killed and started again, three times, under load"
for _ in 1 2 3; do
	kill9_daemon
	start_daemon --interface "$DEV"
	expect_eq "$(status health.selftest)" ok
done
load_goes_on 100

t "no call failed that should not, on new connections and on a pooled one"
kill $GOOD $POOLED $HELD
wait $GOOD $POOLED $HELD 2>/dev/null
expect_within "$(grep -c ' ok - 200 ' "$TMP/good")" 500 100000000 "calls"
expect_eq "$(grep -v ' ok - 200 ' "$TMP/good" | head -n 3)" "" "failed calls"
expect_within "$(grep -c ' ok - 200 ' "$TMP/pooled")" 100 100000000 "pooled calls"
expect_eq "$(grep -v ' ok - 200 ' "$TMP/pooled" | head -n 3)" "" "failed pooled calls"
expect_eq "$(cut -d ' ' -f 6 "$TMP/pooled" | sort -u | wc -l)" 1 "ports of the pooled connection"

t "no connect got through that should not"
expect_within "$(grep -c " error $DENIED " "$TMP/held")" 500 100000000 "refusals"
expect_eq "$(grep -v " error $DENIED " "$TMP/held" | head -n 3)" "" "not refused"
expect_eq "$(peer_stat held accepted)" 0

t "every refusal was counted"
# the agent may be ended between its last refusal and the line about it
lines=$(grep -c . "$TMP/held")
expect_within "$(counter held denied)" "$lines" $((lines + 1))

t "nothing is attached twice, nothing is left over"
if command -v bpftool >/dev/null; then
	expect_eq "$(attached)" "$programs" "programs in the cgroup"
fi
expect_eq "$(pinned)" "$pins" "pins"
expect_match "$(status "health.xdp[interface=$DEV].mode")" "@(native|generic)"
expect_degraded
expect_eq "$(status health.selftest)" ok

t "events are counted once, so that one program reports, not two"
ok=$(counter good responses.2xx) connects=$(counter good connects)
expect_eq "$(agent_counts 127.0.0.1:3001 --count 10)" "10 ok - 200"
expect_eq "$(($(counter good responses.2xx) - ok))" 10
expect_eq "$(($(counter good connects) - connects))" 10

t "a connection opened before the upgrade is known after it"
steps_start 127.0.0.1:3001
expect_step ok - 200 call 1
stop_daemon
start_daemon --interface "$DEV"
expect_ok sg quarantine good --reason test
expect_step error ECONNABORTED - wait 1 1000
steps_stop

finish
