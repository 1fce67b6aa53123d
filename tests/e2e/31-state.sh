#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The state on disk: damaged, missing, not to be written, not to be read. The daemon starts and
# says so; what was in quarantine is never free without a word.
. "$(dirname "$0")/lib.sh"

AT_A=127.0.0.1:3001 AT_B=127.0.0.1:3002
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"b": { "url": "http://127.0.0.1:3002/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start a $AT_A
peer_start b $AT_B
STATE_FILE=$STATE/state.json

# The maps are gone, as after a reboot; what is done meanwhile comes first.
reboot() { # COMMAND...
	stop_daemon
	expect_eq "$DAEMON_STATUS" 0 "exit status"
	rm -rf "$PINS"
	"$@"
	start_daemon
}

flip() { # FILE TEXT: one bit of the character behind the first TEXT is another
	local text before c

	text=$(<"$1")
	before=${text%%"$2"*}$2
	printf -v c %d "'${text:${#before}:1}"
	# shellcheck disable=SC2059 # an octal escape
	printf "\\$(printf %03o $((c ^ 1)))" |
		dd of="$1" bs=1 seek=${#before} conv=notrunc 2>/dev/null
}

flip_both() {
	flip "$STATE_FILE" '"streak":'
	flip "$STATE_FILE.1" '"streak":'
}

alarms() { # PATTERN
	sg events --json | grep '"event":"alarm"' | grep -c -- "$1"
}

state_degraded() { # is anything of the state degraded?
	[[ $(status health.degraded) == *"the state "* ]]
}

state_well() {
	! state_degraded && ! status health.degraded | grep -q "no history"
}

forget_damage() {
	rm -rf "$STATE"/*.damaged-*
	expect_soon 5 state_well
	expect_degraded
}

start_daemon
expect_ok sg quarantine a --reason "for good"

t "a bit of the newest is another one: what was in quarantine holds, and that is said"
stop_daemon
rm -rf "$PINS"
flip "$STATE_FILE" '"streak":'
cp "$STATE_FILE" "$TMP/damaged"
start_daemon
expect_match "$(server a quarantine.reason)" "*the state was damaged*for good"
expect_eq "$(server a quarantine.until)" null
expect_denied $AT_A
expect_answer $AT_B 200
expect_match "$(status health.degraded)" "*the state was damaged*$STATE_FILE.damaged-1*"
expect_eq "$(alarms "state.json is damaged")" 1 "alarms"
expect_eq "$(alarms '"server":"a".*in quarantine until it is released')" 1 "alarms"
expect_match "$(grep "$STATE_FILE is damaged" "$LOG")" "*checksum*then delete*"

t "the damaged file is as it was, beside the others, until somebody removes it"
expect_ok cmp "$TMP/damaged" "$STATE_FILE.damaged-1"
reboot true
expect_match "$(status health.degraded)" "*the state was damaged*"
expect_denied $AT_A
forget_damage

cut_off() {
	truncate -s 100 "$STATE_FILE"
}

empty() {
	: >"$STATE_FILE"
}

directory() {
	rm "$STATE_FILE"
	mkdir "$STATE_FILE"
}

removed() {
	rm "$STATE_FILE"
}

for damage in cut_off empty directory flip_both; do
	t "the newest: $damage"
	reboot $damage
	expect_match "$(server a quarantine.reason)" "*the state was damaged*for good"
	expect_denied $AT_A
	expect_answer $AT_B 200
	expect_eq "$(alarms "state.json is damaged")" 1 "alarms"
	forget_damage
done

t "the newest: removed"
reboot removed
expect_denied $AT_A
expect_eq "$(alarms "state.json is missing")" 1 "alarms"

t "the newest cannot be read by this process"
DAEMON_AS=(--drop 1 --drop 2) # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
reboot chmod 000 "$STATE_FILE"
DAEMON_AS=()
expect_denied $AT_A
expect_eq "$(alarms "Permission denied")" 1 "alarms"
forget_damage

t "none can be read, and none was before: nothing is known, and that is said"
nothing() {
	empty
	rm "$STATE_FILE.1"
}
reboot nothing
expect_answer $AT_A 200
expect_eq "$(alarms "none before it is whole")" 1 "alarms"
expect_match "$(status health.degraded)" "*the state was damaged*"
forget_damage

t "a daemon with the same directory and other pins is refused before it attaches anything"
expect_ok sg quarantine a --reason "for good"
rm -rf "$PINS-2" # of a run in which it was not refused
expect_refused try_daemon --pin-dir "$PINS-2" --socket "$TMP/second.sock"
expect_match "$OUT" "*$STATE*--state-dir*"
expect_within "$(grep -c . <<<"$OUT")" 1 3 "lines of the message"
expect_eq "$(test -e "$PINS-2"; echo $?)" 1 "the other pins"
rm -rf "$PINS-2"
expect_denied $AT_A
expect_eq "$(status daemon.pid)" "$DAEMON"

t "one that was killed is in nobody's way"
kill9_daemon
start_daemon
expect_denied $AT_A

# How the directory is before the next start, what makes it usable again, and what is said.
in_the_way() {
	mv "$STATE" "$STATE.away"
	: >"$STATE"
}
in_the_way_no_more() {
	rm "$STATE"
	mv "$STATE.away" "$STATE"
}
for_everybody() {
	chmod 0777 "$STATE"
}
for_everybody_no_more() {
	chmod 0700 "$STATE"
}
for case in in_the_way for_everybody; do
	t "the directory cannot be used ($case): it starts, enforces, says so, and tries again"
	reboot $case
	expect_match "$(status health.degraded)" "*the state cannot be written to $STATE*"
	expect_match "$(status health.degraded)" "*what was in quarantine before a reboot may not be*"
	expect_eq "$(alarms "cannot be used")" 1 "alarms"
	expect_ok sg quarantine b --reason new
	expect_denied $AT_B
	expect_eq "$(status health.selftest)" ok
	${case}_no_more
	expect_soon 5 state_well
	expect_denied $AT_A # it was, and is again
	expect_eq "$(alarms '"server":"a".*in quarantine again')" 1 "alarms"
	expect_ok sg release b
	reboot true
	expect_denied $AT_A
	expect_answer $AT_B 200
done

t "the directory is removed while it runs: it is made again"
rm -r "$STATE"
expect_ok sg quarantine b --reason new
expect_soon 5 state_well
reboot true
expect_denied $AT_A
expect_denied $AT_B
expect_ok sg release b

if mkdir -p "$TMP/small" && mount -t tmpfs -o size=16k,mode=0700 small "$TMP/small" 2>/dev/null; then
	umount "$TMP/small"
	t "read-only, and damaged: it starts, holds, overwrites nothing; later it is set aside"
	on_tmpfs() {
		mv "$STATE" "$STATE.away"
		mkdir -p "$STATE"
		mount -t tmpfs -o size=512k,mode=0700 small "$STATE" # the history alone takes 100k
		cp "$STATE.away"/state.json* "$STATE"
	}
	read_only() {
		on_tmpfs
		flip "$STATE_FILE" '"streak":'
		cp "$STATE_FILE" "$TMP/damaged"
		mount -o remount,ro "$STATE"
	}
	reboot read_only
	expect_denied $AT_A
	expect_match "$(status health.degraded)" "*the state cannot be written to $STATE (Read-only*"
	expect_eq "$(alarms "state.json is damaged")" 1 "alarms"
	expect_ok sg quarantine b --reason new
	expect_denied $AT_B
	expect_ok cmp "$TMP/damaged" "$STATE_FILE"
	expect_within "$(log_lines "cannot set aside")" 1 2 "lines in the log"
	mount -o remount,rw "$STATE"
	expect_soon 5 test -e "$STATE_FILE.damaged-1"
	expect_ok cmp "$TMP/damaged" "$STATE_FILE.damaged-1"
	forget_damage
	reboot true
	expect_denied $AT_A
	expect_denied $AT_B

	t "a full disk: what is on it stays, that is said, and it goes on when there is room"
	dd if=/dev/zero of="$STATE/full" bs=4096 >/dev/null 2>&1
	expect_ok sg release b
	expect_match "$(status health.degraded)" "*the state cannot be written to $STATE (No space*"
	expect_answer $AT_B 200
	kill9_daemon
	dd if=/dev/zero of="$STATE/more" bs=4096 >/dev/null 2>&1 # what the history let go
	start_daemon # as it is: full
	expect_denied $AT_A
	expect_match "$(status health.degraded)" "*the state cannot be written to $STATE (No space*"
	expect_within "$(log_lines "free some space there")" 1 3 "lines in the log"
	rm "$STATE/full" "$STATE/more"
	expect_soon 5 state_well
	reboot true
	expect_denied $AT_A
	expect_answer $AT_B 200
	stop_daemon
	umount "$STATE"
else
	t_skip "a small and a read-only file system" "tmpfs cannot be mounted"
fi

finish
