#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What happened is told later: states, scores, orders and by whom, findings, and samples of who was
# denied what. It outlives the daemon, however that ends; a disk that is full or a file that is
# damaged ends the history, and nothing else.
. "$(dirname "$0")/lib.sh"

config '"one": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH",
		"breaker": { "consecutive_failures": 3, "open_seconds": 30 } },
	"two": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start one 127.0.0.1:3001
peer_start two 127.0.0.1:3002
publish "$BUILD/switchgear"
start_daemon

ordinary() { # COMMAND...: as an ordinary user
	"$TOOLS/nsrun" --uid 65534 -- "$PUBLIC/switchgear" --socket "$SOCKET" "$@"
}
no_history() {
	sg status | grep -q "no history is kept"
}
kept() {
	! no_history
}
told() { # PATTERN [EVENTS_OPTION...]
	sg events --since 1h "${@:2}" | grep -q -- "$1"
}
untold() {
	! told "$@"
}

t "who is denied is told of: process, cgroup, destination"
expect_ok sg quarantine one --reason "by the test"
agent --connect 127.0.0.1:3001 >/dev/null
expect_soon 5 told "denial .*one .*denied, 127.0.0.1:3001, pid [0-9]* agent in "
sg events --since 1h --json | grep '"event":"denial"' | head -n 1 >"$TMP/denial"
expect_eq "$("$TOOLS/jget" "$TMP/denial" comm)" agent
expect_match "$("$TOOLS/jget" "$TMP/denial" cgroup)" "*${CG##*/}*"
expect_match "$("$TOOLS/jget" "$TMP/denial" pid)" "[1-9]*"

t "one of many is told, one in ten seconds; all are counted"
SINCE=$(now_ms)
for _ in 1 2 3 4 5; do
	agent --connect 127.0.0.1:3001 >/dev/null
done
expect_eq "$(counter one denied)" 6
N=$(sg events --since 1h | grep -c ' denial ')
expect_ok test "$N" -ge 1 -a "$N" -le $((2 + ($(now_ms) - SINCE) / 10000))
expect_ok test "$N" -lt 6

t "it is nobody's business but of who may change something"
expect_match "$(ordinary events --since 1h)" "*quarantine*one*by the test*"
expect_eq "$(ordinary events --since 1h | grep -c denial)" 0 "denials that others see"

streamed() { # COMMAND...: what a stream of events has, by that command before curl
	"$@" curl -sN --max-time 2 --unix-socket "$SOCKET" -H "Accept: text/event-stream" \
		"http://switchgear/v1/events?since=1h"
}
expect_match "$(streamed env)" "*event: denial*"
expect_match "$(streamed "$TOOLS/nsrun" --uid 65534 --)" "*event: quarantine*"
expect_eq "$(streamed "$TOOLS/nsrun" --uid 65534 -- | grep -c denial)" 0 "denials in others' streams"

t "a finding is told of once"
FINDING='{"source":"scan-x","severity":"medium","rule":"R7","server":"two","message":"wide scope"}'
expect_ok sg report - <<<"$FINDING"
expect_ok sg report - <<<"$FINDING"
expect_soon 5 told "finding .*two .*medium: R7: wide scope (by scan-x)"
expect_eq "$(sg events --since 1h | grep -c ' finding ')" 1 "findings that were told"

t "history has scores and states, as a line and one by one"
expect_ok sg release one
peer_ctl one answer 503
for _ in 1 2 3; do
	agent --connect 127.0.0.1:3001 >/dev/null
done
expect_server_soon one state open
expect_soon 5 eval 'sg history one --since 1h | grep -q "^state .*Q.*o"'
expect_ok sg history one --since 1h
expect_match "$OUT" "score *state *in quarantine*open*"
sg history one --since 1h --json >"$TMP/history"
expect_match "$("$TOOLS/jget" "$TMP/history" samples.0.score)" "[0-9]*"

t "kill -9 loses nothing of it"
kill9_daemon
start_daemon
expect_ok told "quarantine .*one .*by the test"
expect_ok told "denial .*one "
expect_ok told "finding .*two .*R7"
expect_ok told "transition .*one .*open"
expect_match "$(sg history one --since 1h)" "*in quarantine*"
expect_eq "$(ordinary events --since 1h | grep -c denial)" 0 "denials that others see, from the disk"
expect_ok ordinary events --since 1h

t "what is asked for is what is told"
expect_ok untold ' one ' --server two
expect_refused sg history nobody
expect_refused sg events --since never

t "a damaged file ends the history, and nothing else"
stop_daemon
cp "$STATE/history.db" "$TMP/good.db"
rm -f "$STATE"/history.db-*
head -c 100000 /dev/urandom >"$STATE/history.db"
cp "$STATE/history.db" "$TMP/damaged.db"
start_daemon
expect_soon 5 no_history
expect_match "$(sg status)" "*no history is kept in *history.db: *; move it away*"
expect_ok sg quarantine two --reason "without a history"
expect_denied 127.0.0.1:3002
expect_ok cmp "$STATE/history.db" "$TMP/damaged.db"
expect_refused sg history one
expect_match "$OUT" "*no history is kept*"
expect_ok told "quarantine .*two .*without a history" # in memory
mv "$TMP/good.db" "$STATE/history.db"
expect_soon 30 eval 'sg history one --since 1h | grep -q quarantine'
expect_soon 5 kept
expect_ok sg release two

t "a full disk ends the history, and nothing else"
stop_daemon
SMALL=$TMP/small
if mkdir -p "$SMALL" && mount -t tmpfs -o size=2m,mode=0700 small "$SMALL" 2>/dev/null; then
	umount "$SMALL"
	rm -rf "$STATE"
	mkdir -m 700 "$STATE"
	mount -t tmpfs -o size=2m,mode=0700 small "$STATE"
	start_daemon
	expect_ok sg quarantine two --reason "before it is full"
	dd if=/dev/zero of="$STATE/ballast" bs=4k count=600 2>/dev/null
	for i in 1 2 3 4; do
		sg release two --reason "round $i" >/dev/null 2>&1
		sg quarantine two --reason "round $i" >/dev/null 2>&1
	done
	expect_soon 5 no_history
	expect_denied 127.0.0.1:3002
	rm "$STATE/ballast"
	expect_soon 30 kept
	expect_ok sg quarantine two --reason "there is room again"
	expect_soon 5 told "there is room again"
	stop_daemon
	start_daemon
	expect_ok told "quarantine .*two .*there is room again"
	expect_ok told "quarantine .*two .*before it is full"
	stop_daemon
	umount "$STATE"
	mkdir -p "$STATE"
	start_daemon
else
	pass
	echo "# no small file system can be mounted here"
fi

finish
