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
start_daemon --attach
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
expect_match "$OUT" "*$TMP/mine is not on a BPF file system*"
expect_eq "$(test -d "$TMP/mine/kept"; echo $?)" 0 "a directory that is not ours"

if ! command -v bpftool >/dev/null; then
	t_skip "foreign pins" "bpftool is not installed"
	finish
fi

# A BPF file system of this test's own, which is the pin directory as a whole.
scrub_bpf() {
	umount "$TMP/bpf" 2>/dev/null
}
trap 'scrub_bpf; at_exit' EXIT
mkdir -p "$TMP/bpf"
mount -t bpf bpf "$TMP/bpf"
PINS=$TMP/bpf
DAEMON_ARGS=(--config "$CONFIG" --cgroup "$CG" --pin-dir "$PINS" --socket "$SOCKET"
	--state-dir "$STATE")

of_link() { # PIN MEMBER
	bpftool -j link show pinned "$PINS/$1" | "$TOOLS/jget" - "$2"
}

foreign() {
	mkdir "$PINS/theirs" &&
		bpftool map create "$PINS/theirs/cfg" type array key 4 value 48 entries 1 name cfg &&
		bpftool map create "$PINS/swept" type hash key 4 value 4 entries 1 name theirs &&
		bpftool map create "$PINS/others" type hash key 4 value 4 entries 1 name others &&
		bpftool prog pin id "$(of_link sg_connect4 prog_id)" "$PINS/prog" &&
		bpftool link pin id "$(of_link sg_connect6 id)" "$PINS/xdp_theirs"
}

# Without what the kernel puts into each of these file systems.
left() {
	find "$PINS" -mindepth 1 ! -name '*.debug' | wc -l
}

clear() {
	local pin

	for pin in "$PINS"/*; do
		[[ $pin == *.debug ]] || rm -r "$pin"
	done
}

expect_foreign() { # DETACHED-OUTPUT
	local pin

	for pin in theirs swept others prog xdp_theirs; do
		expect_match "$1" "*left alone, not Switchgear's: $pin*"
		expect_eq "$(test -e "$PINS/$pin"; echo $?)" 0 "$pin"
	done
	expect_eq "$(left)" 6 "what is left in $PINS" # with theirs/cfg
	expect_match "$1" "*the directory * stays*"
}

t "in the root of a BPF file system, the daemon removes its own pins only"
start_daemon --attach
expect_ok foreign
expect_ok sg detach
expect_foreign "$OUT"
wait "$DAEMON"
clear

t "and so does the client alone"
start_daemon --attach
expect_ok foreign
kill9_daemon
expect_ok sg detach --pin-dir "$PINS"
expect_foreign "$OUT"
expect_eq "$(bpftool cgroup show "$CG" | grep -c ' sg_')" 0 "programs in the cgroup"

t "without a map cfg of ours nothing is removed"
expect_status 1 sg detach --pin-dir "$PINS"
expect_match "$OUT" "*$PINS has no map \"cfg\" of Switchgear*nothing was removed*"
expect_status 1 sg detach --pin-dir "$PINS/theirs" # a map of that name that says nothing
expect_match "$OUT" "*of layout 0*nothing was removed*"
expect_eq "$(left)" 6 "what is left in $PINS"

t "a start does not take foreign links of that name off"
rm -r "$PINS/swept" "$PINS/prog"
start_daemon --attach
expect_eq "$(test -e "$PINS/xdp_theirs"; echo $?)" 0 "xdp_theirs"
kill9_daemon
expect_ok sg detach --pin-dir "$PINS" --json
expect_eq "$("$TOOLS/jget" - kept.# <<<"$OUT")" "$(find "$PINS" -mindepth 1 -maxdepth 1 | wc -l)" "kept"
expect_eq "$("$TOOLS/jget" - directory_removed <<<"$OUT")" false

t "an empty directory is removed, one that stays is said"
clear
mkdir "$PINS/v1"
expect_ok sg detach --pin-dir "$PINS/v1"
expect_eq "$(test -e "$PINS/v1"; echo $?)" 1 "the directory"
start_daemon --attach
kill9_daemon
expect_ok sg detach --pin-dir "$PINS"
expect_match "$OUT" "*the directory $PINS stays*"

finish
