#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# detach removes all of it: links, programs, maps, pins; nothing is refused any
# more, and a new start begins afresh.
. "$(dirname "$0")/lib.sh"

config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
join_remote
peer_start a 127.0.0.1:3001
start_daemon --interface "$DEV"

# Ids of what is pinned, as "link 5" or "map 7".
pinned_ids() {
	local pin id

	find "$PINS" -type f | while read -r pin; do
		for kind in link map prog; do
			id=$(bpftool -j $kind show pinned "$pin" 2>/dev/null | "$TOOLS/jget" - id \
				2>/dev/null) && echo "$kind $id"
		done
	done | sort -u
}

left_over() {
	local kind id

	while read -r kind id; do
		bpftool $kind show id "$id" >/dev/null 2>&1 && echo "$kind $id"
	done <"$TMP/ids"
}

command -v bpftool >/dev/null && pinned_ids >"$TMP/ids"

t "before: it bites"
expect_ok sg quarantine a --reason test
expect_denied 127.0.0.1:3001
expect_within "$(find "$PINS" -type f | wc -l)" 10 200 "pins"
steps_start 127.0.0.1:3001

t "detach: nothing is refused any more"
expect_ok sg detach
expect_answer 127.0.0.1:3001 200
expect_step ok - 200 call 1
steps_stop

t "no pin is left"
expect_eq "$(find "$PINS" -type f 2>/dev/null | wc -l)" 0
if daemon_alive; then
	wait_for 3 eval '! daemon_alive' || stop_daemon
fi
expect_eq "$(find "$PINS" -type f 2>/dev/null | wc -l)" 0

if command -v bpftool >/dev/null; then
	t "no program, map or link is left in the kernel"
	expect_within "$(grep -c . "$TMP/ids")" 10 200 "objects before"
	expect_soon 5 eval '[ -z "$(left_over)" ]'
	expect_eq "$(bpftool cgroup show "$CG" | grep -c ' sg_')" 0 "programs in the cgroup"
	expect_eq "$(ip -n "$NS" -d link show dev "$DEV" | grep -c prog/xdp)" 0 "XDP"
else
	t_skip "no program, map or link is left in the kernel" "bpftool is not installed"
fi

t "a new start begins with what was ordered, and with empty counters"
start_daemon
expect_eq "$(counter a denied)" 0
expect_ok sg release a
expect_answer 127.0.0.1:3001 200

t "detach without a daemon removes the pins by itself"
expect_ok sg quarantine a --reason test
kill9_daemon
expect_denied 127.0.0.1:3001
expect_ok sg detach --pin-dir "$PINS"
expect_eq "$(find "$PINS" 2>/dev/null | wc -l)" 0
expect_answer 127.0.0.1:3001 200

t "detach twice, and detach of what is no pin directory, say so"
expect_ok sg detach --pin-dir "$PINS"
expect_match "$OUT" "*nothing was attached*$PINS*"
mkdir -p "$TMP/mine/kept"
expect_refused sg detach --pin-dir "$TMP/mine"
expect_eq "$(test -d "$TMP/mine/kept"; echo $?)" 0 "a directory that is not ours"

finish
