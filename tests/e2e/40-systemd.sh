#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Under a real systemd, booted in namespaces, with the unit as it is installed: a daemon that
# was killed comes back, a detach stays, and a reload with errors fails and changes nothing.
. "$(dirname "$0")/lib.sh"

for tool in /lib/systemd/systemd systemctl unshare nsenter pivot_root; do
	command -v $tool >/dev/null || {
		t_skip "the unit under systemd" "$tool is not installed"
		finish
	}
done

ROOT=$TMP/root
ETC=$ROOT/etc
CONFIG=$ETC/switchgear/switchgear.json
SAID=$ROOT/opt/said # what the daemon wrote

# A unit of the machine: unit NAME LINE...
unit() {
	printf '%s\n' "${@:2}" >"$ETC/systemd/system/$1"
}

furnish() {
	mkdir -p "$ETC/systemd/system/"{switchgeard.service.d,multi-user.target.wants} \
		"$ETC/switchgear" "$ROOT/opt/sbin" ||
		return
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/:/bin/sh' \
		>"$ETC/passwd"
	printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' >"$ETC/group"
	echo '127.0.0.1 localhost' >"$ETC/hosts"
	echo 'hosts: files' >"$ETC/nsswitch.conf"
	cp /etc/ld.so.cache "$ETC/"
	echo 0123456789abcdef0123456789abcdef >"$ETC/machine-id"
	cp "$BUILD"/switchgear{d,,-worker,-relay} "$TOOLS/agent" "$TOOLS/peer" "$ROOT/opt/sbin/"
	sed 's|@PREFIX@|/opt|g' "$E2E_DIR/../../dist/switchgeard.service" \
		>"$ETC/systemd/system/switchgeard.service"
	unit switchgeard.service.d/said.conf '[Service]' \
		StandardOutput=append:/opt/said StandardError=inherit
	for name in sysinit basic multi-user shutdown network nss-lookup; do
		unit $name.target '[Unit]' "Description=$name" DefaultDependencies=no
	done
	unit peer.service '[Service]' Type=exec 'ExecStart=/opt/sbin/peer --listen 127.0.0.1:3001'
	unit named.service '[Service]' Type=exec 'ExecStart=/opt/sbin/peer --listen 127.0.0.1:3002'
	unit agent.service '[Service]' Type=oneshot SuccessExitStatus=1 \
		'ExecStart=/opt/sbin/agent --connect 127.0.0.1:3001' StandardOutput=truncate:/opt/call
	config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
		"named": { "url": "http://localhost:3002/mcp", "breaker": { "open_seconds": 1 } }' \
		'"metrics": "off"'
}

INIT= # its pid out here
init_found() {
	read -r INIT <"/proc/$BOOT/task/$BOOT/children" || [ -n "$INIT" ] # no line end
}

boot() {
	"$TOOLS/nsrun" --cgroup "$CG" -- unshare --mount --pid --net --uts --ipc --cgroup --fork \
		--kill-child "$E2E_DIR/machine" "$ROOT" >"$TMP/machine.log" 2>&1 &
	BOOT=$!
	PIDS+=("$BOOT")
	expect_soon 5 init_found
	expect_soon 20 eval '[ "$(cat /proc/$INIT/comm)" = systemd ]'
	expect_soon 20 inside systemctl is-active --quiet multi-user.target
}

inside() {
	nsenter --target "$INIT" --mount --pid --net --uts --ipc --cgroup -- \
		/usr/bin/env -i PATH=/opt/sbin:/usr/sbin:/usr/bin "$@"
}

# The service's property of that name.
property() {
	inside systemctl show switchgeard --property "$1" --value
}

property_is() { # NAME VALUE
	[ "$(property "$1")" = "$2" ]
}

expect_property_soon() { # NAME VALUE
	pass
	wait_for 15 property_is "$@" || fail "$1: \"$(property "$1")\", wanted \"$2\""
}

sg() { # the socket is where the unit has it
	inside switchgear --socket /run/switchgear/switchgear.sock "$@"
}

# A call by an agent in there: "RESULT ERRNO STATUS".
call_of_agent() {
	: >"$ROOT/opt/call"
	inside systemctl start agent || return
	cut -d ' ' -f 2-4 "$ROOT/opt/call"
}

said_lines() { # PATTERN
	grep -c -- "$1" "$SAID"
}

t "systemd boots, and its root of cgroups is the one that this test made"
furnish || fail "the machine cannot be furnished"
boot
expect_eq "$(inside stat -c %i /sys/fs/cgroup)" "$(stat -c %i "$CG")" "the root of its cgroups"
if [ "$T_FAILED" -ne 0 ]; then # never attach to anything else
	sed 's/^/# /' "$TMP/machine.log" "$ROOT/opt/console"
	finish
fi
expect_ok inside systemctl start peer named

t "the service starts, is ready when it says so, and enforces"
expect_ok inside systemctl start switchgeard
expect_property_soon ActiveState active
expect_eq "$(call_of_agent)" "ok - 200"
expect_ok sg quarantine a --reason test
expect_eq "$(call_of_agent)" "error $DENIED -"
expect_eq "$(sg status --json | "$TOOLS/jget" - health.selftest)" ok
expect_eq "$(stat -c %a "$ROOT/var/lib/switchgear")" 700
expect_degraded

t "its worker looks names up, and asks the server that a breaker has opened for"
expect_soon 10 eval '[ "$(server named endpoints.0.address)" = 127.0.0.1 ]'
inside systemctl stop named
expect_ok sg trip named --for 0.1s
expect_server_soon named state open
inside systemctl start named
expect_server_soon named state closed 15
expect_degraded

t "one that is killed is started again, and refuses all the while"
pid=$(property MainPID)
expect_ne "$pid" 0 "its pid"
expect_ok inside systemctl kill --kill-whom=main --signal=KILL switchgeard
expect_eq "$(call_of_agent)" "error $DENIED -"
expect_property_soon NRestarts 1
expect_property_soon ActiveState active
expect_ne "$(property MainPID)" "$pid" "its pid"
expect_server_soon a quarantine.reason test
expect_eq "$(call_of_agent)" "error $DENIED -"

t "a reload with errors fails, says where, and leaves all as it was"
pid=$(property MainPID)
cp "$CONFIG" "$TMP/good.json"
printf '{\n  "mcpServers": { "b": \n' >"$CONFIG"
expect_refused inside systemctl reload switchgeard
expect_match "$OUT" "*switchgeard.service*failed*"
expect_match "$(tail -n 3 "$SAID")" "*/etc/switchgear/switchgear.json:[0-9]*"
expect_property_soon ActiveState active
expect_eq "$(property MainPID)" "$pid" "its pid"
expect_eq "$(property NRestarts)" 1
expect_eq "$(status servers.0.name)" a
expect_eq "$(said_lines "the configuration was reloaded")" 0 "reloads"
expect_eq "$(call_of_agent)" "error $DENIED -"

t "one without takes the change over"
sed 's/"a": {/"b": { "url": "http:\/\/127.0.0.1:3003\/mcp" }, "a": {/' "$TMP/good.json" >"$CONFIG"
expect_ok inside systemctl reload switchgeard
expect_soon 5 eval '[ "$(status servers.#)" = 3 ]'
expect_eq "$(property MainPID)" "$pid" "its pid"
expect_eq "$(call_of_agent)" "error $DENIED -"

# It ended because it was detached, and nobody starts it again.
expect_detached() {
	expect_property_soon ExecMainStatus 78
	expect_property_soon ActiveState failed # else it would be activating (auto-restart)
	expect_eq "$(property Result)" exit-code
	expect_eq "$(property MainPID)" 0
}

t "a detach stays: the service ends with 78 and is not started again"
expect_ok sg detach
expect_detached
pass_time 2 "RestartSec is 1"
expect_detached
expect_eq "$(property NRestarts)" 1
expect_eq "$(call_of_agent)" "ok - 200"
expect_eq "$(inside find /sys/fs/bpf/switchgear -type f 2>/dev/null | wc -l)" 0 "pins"

t "so it does for who starts it again, who is told why"
lines=$(said_lines .)
expect_refused inside systemctl start switchgeard
expect_detached
expect_match "$(tail -n +$((lines + 1)) "$SAID")" "*detached by root (uid 0)*switchgear attach*"
expect_eq "$(call_of_agent)" "ok - 200"

# Ends all that runs in there; what is pinned goes with it, what is on disk stays.
reboot() {
	kill -KILL "$INIT"
	wait "$BOOT" 2>/dev/null
	INIT=
	scrub_cgroup "$CG"
	mkdir -p "$CG"
	boot
	expect_ok inside systemctl start peer
}

t "and over a reboot"
ln -s ../switchgeard.service "$ETC/systemd/system/multi-user.target.wants/"
reboot
expect_detached
expect_eq "$(call_of_agent)" "ok - 200"

t "attach and a start end that: it enforces what was ordered before"
expect_ok sg attach
expect_ok inside systemctl start switchgeard
expect_property_soon ActiveState active
expect_server a quarantine.reason test
expect_eq "$(call_of_agent)" "error $DENIED -"

t "which a reboot puts into force again, too"
reboot
expect_property_soon ActiveState active
expect_eq "$(call_of_agent)" "error $DENIED -"
expect_degraded

t "a stop by systemd leaves what is enforced in force"
expect_ok inside systemctl stop switchgeard
expect_property_soon ActiveState inactive
expect_eq "$(property ExecMainStatus)" 0
expect_eq "$(call_of_agent)" "error $DENIED -"

finish
