#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An order belongs to what it was given for: it survives that its server is called otherwise,
# stands elsewhere, moves, is removed and comes again, reboots included.
. "$(dirname "$0")/lib.sh"

server_at() { # NAME PORT
	echo "\"$1\": { \"url\": \"http://127.0.0.1:$2/mcp\", \"deny_errno\": \"EHOSTUNREACH\" }"
}

configure() { # SERVER...
	local IFS=,

	config "$*"
}

reload() { # SERVER...
	configure "$@"
	kill -HUP "$DAEMON"
	RELOADS=$((RELOADS + 1))
	expect_soon 5 eval '[ "$(sg events --since 100s | grep -c " reload ")" -ge $RELOADS ]'
}
RELOADS=0

# As after a reboot: what is pinned is gone, the state on disk is not.
reboot() {
	stop_daemon
	rm -rf "$PINS"
	start_daemon
	RELOADS=0
}

quarantined() { # NAME
	[ "$(server "$1" quarantine.reason 2>/dev/null)" ]
}

for port in 3001 3002 3003; do
	peer_start p$port 127.0.0.1:$port
done
configure "$(server_at a 3001)" "$(server_at b 3002)"
start_daemon
expect_ok sg quarantine a --reason first

t "it survives another order of the entries, and another name"
reload "$(server_at b 3002)" "$(server_at a 3001)"
expect_denied 127.0.0.1:3001
reload "$(server_at b 3002)" "$(server_at c 3001)"
expect_denied 127.0.0.1:3001
expect_server c quarantine.reason first
expect_answer 127.0.0.1:3002 200
expect_match "$(sg events --since 100s)" "*reloaded: changed c*"

t "a server that is not configured any more stays in quarantine until it is released"
reload "$(server_at b 3002)"
expect_denied 127.0.0.1:3001
expect_server c orphan true
expect_match "$(sg events --since 100s)" "*alarm*c *not configured any more*"
expect_match "$(sg status)" "*c*"

t "also over a new daemon, and a reboot"
kill9_daemon
start_daemon
expect_denied 127.0.0.1:3001
expect_server c orphan true
expect_server c quarantine.reason first
reboot
expect_denied 127.0.0.1:3001
expect_server c orphan true
expect_server c quarantine.reason first

t "it comes again under any name and is still in quarantine"
reload "$(server_at b 3002)" "$(server_at d 3001)"
expect_denied 127.0.0.1:3001
expect_server d quarantine.reason first
reload "$(server_at b 3002)"
expect_ok sg release d
expect_answer 127.0.0.1:3001 200
expect_soon 5 eval '[ "$(status servers.#)" -eq 1 ]'

t "it goes with the name to another place, and stays where it was given"
reload "$(server_at b 3002)" "$(server_at a 3001)"
expect_ok sg quarantine a --reason moved
reload "$(server_at b 3002)" "$(server_at a 3003)"
expect_denied 127.0.0.1:3003
reload "$(server_at b 3002)" "$(server_at a 3003)" "$(server_at e 3001)"
expect_denied 127.0.0.1:3001
expect_denied 127.0.0.1:3003
expect_answer 127.0.0.1:3002 200
expect_match "$(server e quarantine.reason)" '*"a"*moved*'
reload "$(server_at b 3001)" "$(server_at a 3002)"
expect_denied 127.0.0.1:3001
expect_denied 127.0.0.1:3002

t "who comes to share an endpoint brings his order along"
for name in a b e; do
	expect_ok sg release $name
done
reload "$(server_at b 3001)" "$(server_at a 3002)"
expect_server b quarantine null
expect_ok sg quarantine a --reason shared
reload "$(server_at b 3001)" "$(server_at a 3001)"
expect_denied 127.0.0.1:3001
expect_match "$(server b quarantine.reason)" '*"a"*shared*'
expect_answer 127.0.0.1:3002 200
expect_ok sg release b
expect_answer 127.0.0.1:3001 200

t "forced breakers come again with their servers, reboots included"
reload "$(server_at b 3001)" "$(server_at a 3002)"
expect_ok sg trip a --for 1h
reload "$(server_at b 3001)"
expect_answer 127.0.0.1:3002 200
reboot
reload "$(server_at b 3001)" "$(server_at z 3002)"
expect_server z state forced_open
expect_denied 127.0.0.1:3002

finish
