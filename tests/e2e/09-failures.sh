#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What can be wrong with a host or a configuration: each gives one clear message
# with the remedy and a non-zero exit, or a degraded state that can be seen.
. "$(dirname "$0")/lib.sh"

config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'

# The start fails, and its last lines say WORD... (globs, any order, any case).
start_fails() {
	local word

	expect_refused try_daemon
	expect_ne "$OUT" "" "a message"
	for word in "$@"; do
		expect_match "${OUT,,}" "*${word,,}*" "the message"
	done
	expect_within "$(grep -c . <<<"$OUT")" 1 12 "lines of the message"
}

t "no configuration file: names it"
mv "$CONFIG" "$CONFIG.away"
start_fails "$CONFIG"
mv "$CONFIG.away" "$CONFIG"

t "a configuration that is not readable: names it"
rm "$CONFIG"
mkdir "$CONFIG"
start_fails "$CONFIG"
rmdir "$CONFIG"

t "broken JSON: names file and line"
printf '{\n  "mode": "enforce",\n  "mcpServers": {\n    "a": { "url" "x" }\n  }\n}\n' >"$CONFIG"
start_fails "$CONFIG:4"

t "an unknown key: names line, key and the nearest known one"
printf '{\n  "mcpServers": {\n    "a": {\n      "url": "http://127.0.0.1:3001/",\n' >"$CONFIG"
printf '      "breaker": { "consecutive_failure": 5 }\n    }\n  }\n}\n' >>"$CONFIG"
start_fails "$CONFIG:5" consecutive_failure "\"consecutive_failures\""

t "values out of range or of the wrong kind: name line and key"
printf '{\n  "mcpServers": {},\n  "defaults": {\n    "breaker": {\n' >"$CONFIG"
printf '      "half_open_max_seconds": 0\n    }\n  }\n}\n' >>"$CONFIG"
start_fails "$CONFIG:5" half_open_max_seconds
printf '{\n  "mcpServers": {\n    "a": {\n      "url": 5\n    }\n  }\n}\n' >"$CONFIG"
start_fails "$CONFIG:4" url
printf '{\n  "mode": "enforced",\n  "mcpServers": {}\n}\n' >"$CONFIG"
start_fails "$CONFIG:2" mode enforce

t "--check says the same without touching anything"
expect_refused "${IN_CG[@]}" "$BUILD/switchgeard" --config "$CONFIG" --check
expect_match "$OUT" "*$CONFIG:2*"
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
expect_ok "${IN_CG[@]}" "$BUILD/switchgeard" --config "$CONFIG" --check --pin-dir "$PINS"
expect_eq "$(test -e "$PINS"; echo $?)" 1 "pins after --check"

t "an unknown option: usage"
expect_status 2 "${IN_CG[@]}" "$BUILD/switchgeard" --config "$CONFIG" --frobnicate
expect_match "$OUT" "*--frobnicate*"

t "a pin directory that is not on bpffs"
NOT_BPF=$TMP/not-bpf
expect_refused try_daemon --pin-dir "$NOT_BPF/pins"
expect_match "$OUT" "*$NOT_BPF*"
expect_match "${OUT,,}" "*bpf*"

t "bpffs is not mounted: it is mounted, or the message says how"
TRY_NSRUN=(--umount "$(mount_of bpf || echo /sys/fs/bpf)")
if mount_of bpf >/dev/null; then
	status=0
	OUT=$(try_daemon --pin-dir "$(mount_of bpf)/sg-e2e-$HASH" 2>&1) ||
		status=$?
	if [ $status -eq 124 ]; then
		expect_match "${OUT,,}" "*mount*bpf*"
	else
		expect_ne $status 0 "exit status"
		expect_match "${OUT,,}" "*bpf*"
		expect_match "${OUT,,}" "*mount*"
	fi
else
	pass
fi

t "no cgroup2: names it and says how to mount it"
TRY_NSRUN=()
while read -r _ _ _ _ at _; do
	TRY_NSRUN+=(--umount "$at")
done < <(grep ' - cgroup2 ' /proc/self/mountinfo)
expect_refused try_daemon --cgroup auto
expect_match "${OUT,,}" "*cgroup2*"
expect_match "${OUT,,}" "*mount*"
TRY_NSRUN=()

t "a cgroup that does not exist, and a directory that is none"
expect_refused try_daemon --cgroup "$CG/none"
expect_match "$OUT" "*$CG/none*"
expect_refused try_daemon --cgroup "$TMP"
expect_match "$OUT" "*$TMP*"
expect_match "${OUT,,}" "*cgroup*"

for row in "bpf+sys_admin CAP_BPF" "net_admin+sys_admin CAP_NET_ADMIN" \
	"perfmon+sys_admin CAP_PERFMON"; do
	read -r drop want <<<"$row"
	t "without $want: names it"
	TRY_NSRUN=(--drop "${drop%+*}" --drop "${drop#*+}")
	start_fails $want
	TRY_NSRUN=()
done

t "an ordinary user: says that root is needed"
TRY_NSRUN=(--uid 65534)
publish "$BUILD/switchgeard"
BUILD=$PUBLIC start_fails CAP_BPF
TRY_NSRUN=()

t "an interface that does not exist: named, and the daemon starts without"
expect_status 124 try_daemon --interface nosuchif0
expect_match "$OUT" "*degraded: no interface \"nosuchif0\"*"
rm -rf "$PINS"

t "a metrics address that is taken: named, with the option, and the daemon starts without"
peer_start taken 127.0.0.1:9464
expect_status 124 try_daemon --metrics 127.0.0.1:9464
expect_match "$OUT" "*cannot listen on 127.0.0.1:9464*--metrics*"
rm -rf "$PINS"

t "a metrics address that is none: refused, and by --check"
expect_status 1 try_daemon --metrics nowhere
expect_match "$OUT" "*\"nowhere\" is not an address for the metrics*"
expect_status 1 "${IN_CG[@]}" "$BUILD/switchgeard" --config "$CONFIG" --metrics nowhere --check

t "a second daemon on the same pins is refused, the first goes on"
peer_start a 127.0.0.1:3001
start_daemon
first=$DAEMON
expect_refused try_daemon --socket "$TMP/second.sock" --state-dir "$TMP/second"
expect_match "$OUT" "*$PINS*"
expect_match "$OUT" "*$first*"
expect_ok sg status
expect_eq "$(status daemon.pid)" "$first"
expect_ok sg quarantine a --reason test
expect_denied 127.0.0.1:3001
expect_ok sg release a
stop_daemon

if command -v bpftool >/dev/null; then
	t "a pin directory of an older layout: named, with the remedy, and left alone"
	rm -rf "$PINS"
	mkdir -p "$PINS"
	expect_ok bpftool map create "$PINS/srv_state" type array key 4 value 24 entries 16 \
		name srv_state
	start_fails "$PINS" srv_state "@(detach|remove|rm )"
	expect_eq "$(test -e "$PINS/srv_state"; echo $?)" 0 "the old pin"
	rm -rf "$PINS"
else
	t_skip "a pin directory of an older layout" "bpftool is not installed"
fi

t "full maps: refused with the limit's name, or visibly degraded"
config '"a": { "url": "http://127.0.0.1:3001/mcp" },
	"b": { "url": "http://127.0.0.1:3002/mcp" },
	"c": { "url": "http://127.0.0.1:3003/mcp" },
	"d": { "url": "http://127.0.0.1:3004/mcp" }' '"limits": { "endpoints": 4 }'
"${IN_CG[@]}" "$BUILD/switchgeard" "${DAEMON_ARGS[@]}" --metrics off \
	>"$TMP/full.log" 2>&1 &
DAEMON=$!
PIDS+=("$DAEMON")
wait_for 10 daemon_answers
if daemon_alive; then
	expect_match "$(status health.degraded)" "*endpoints*" "status health.degraded"
	stop_daemon
else
	reap_daemon
	expect_ne "$DAEMON_STATUS" 0 "exit status"
fi
expect_match "$(cat "$TMP/full.log")" "*limits*endpoints*"
rm -rf "$PINS"

t "after all of it a good start is a good start"
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" }'
start_daemon
expect_answer 127.0.0.1:3001 200
expect_degraded
expect_eq "$(status health.selftest)" ok

finish
