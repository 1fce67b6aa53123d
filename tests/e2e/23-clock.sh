#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Deadlines count the time since boot: a wall clock that steps changes nothing, and
# a reboot takes over what is left.
# alone: in a guest it steps the wall clock, by which others tell their times
. "$(dirname "$0")/lib.sh"

OPEN_S=300
# A query keeps the daemon's own probe away: nobody but us ends half-open here.
config '"open": { "url": "http://127.0.0.1:3001/mcp?a=b", "deny_errno": "EHOSTUNREACH",
		"breaker": { "open_seconds": 300, "open_max_seconds": 300 } },
	"half": { "url": "http://127.0.0.1:3002/mcp?a=b", "deny_errno": "EHOSTUNREACH",
		"breaker": { "open_seconds": 0.3 } },
	"forced": { "url": "http://127.0.0.1:3003/mcp", "deny_errno": "EHOSTUNREACH" },
	"held": { "url": "http://127.0.0.1:3004/mcp", "deny_errno": "EHOSTUNREACH" }'
peer_start half 127.0.0.1:3002 --answer 503
peer_start forced 127.0.0.1:3003
peer_start held 127.0.0.1:3004

# As if the machine had been started anew: no pins, another boot. SECONDS: by how much the
# wall clock has gone since the state was saved.
reboot() { # SECONDS
	local saved

	stop_daemon
	rm -rf "$PINS"
	saved=$(date -u -d "@$(($(date +%s) - $1))" +%Y-%m-%dT%H:%M:%SZ)
	state_edit -e 's/"boot_id":"[^"]*"/"boot_id":"00000000-0000-4000-8000-000000000000"/' \
		-e 's/"boot_s":[^,]*/"boot_s":1000000/' \
		-e "s/\"time\":\"[^\"]*\"/\"time\":\"$saved\"/"
	start_daemon
}

open_left() {
	server open breaker.open_remaining_s
}

start_daemon
agent --connect 127.0.0.1:3001 --count 3 >/dev/null # nobody listens
agent --connect 127.0.0.1:3002 --count 3 >/dev/null
expect_ok sg trip forced
expect_ok sg quarantine held --reason "for good"
expect_server open state open
expect_server_soon half state half_open

t "a wall clock that was an hour wrong when the state was saved changes nothing"
left=$(open_left)
for wrong in 3600 -3600; do
	stop_daemon
	saved=$(date -u -d "@$(($(date +%s) + wrong))" +%Y-%m-%dT%H:%M:%SZ)
	state_edit -e "s/\"time\":\"[^\"]*\"/\"time\":\"$saved\"/"
	start_daemon
	expect_within "$(open_left)" $((OPEN_S / 2)) "$left" "s open"
done

t "a reboot: open for what is left, by the wall clock, orders and quarantine as they were"
reboot 60
expect_server open state open
expect_within "$(open_left)" $((OPEN_S / 2 - 60)) $((OPEN_S - 60)) "s open"
expect_denied 127.0.0.1:3001
expect_server forced state forced_open
expect_denied 127.0.0.1:3003
expect_server held quarantine.reason "for good"
expect_denied 127.0.0.1:3004

t "a reboot: half-open is open with nothing left, so half-open at the next call"
peer_ctl half answer ok
expect_answer 127.0.0.1:3002 200
expect_server_soon half state closed

t "a reboot with the wall clock set back: never longer than was left"
left=$(open_left)
reboot -3600
expect_within "$(open_left)" 1 "$left" "s open"

t "a reboot after it was over: half-open"
reboot 3600
expect_within "$(open_left)" 0 0 "s open"
expect_error 127.0.0.1:3001 ECONNREFUSED # a probe, and nobody listens

# Only in a machine of our own.
if [ -n "${E2E_GUEST:-}" ]; then
	t "the wall clock steps by an hour, both ways, while the daemon runs"
	expect_server_soon open state open
	for step in 3600 -7200 3600; do
		left=$(open_left)
		date -s "@$(($(date +%s) + step))" >/dev/null
		expect_within "$(open_left)" $((OPEN_S / 2)) "$left" "s open"
		expect_denied 127.0.0.1:3001
	done
fi

finish
