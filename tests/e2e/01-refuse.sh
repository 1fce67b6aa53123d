#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A connect to a server that is open or quarantined gets the configured errno at
# once, whatever kind of socket and address it uses; other destinations are
# untouched.
. "$(dirname "$0")/lib.sh"

TCP4="tcp v4mapped nonblock tfo tfo-connect mptcp iouring"
TCP6="tcp nonblock tfo tfo-connect mptcp iouring"
UDP4="udp-sendto udp-connect udp-mapped udp-mapped-connect udp-unspec"
UDP6="udp-sendto udp-connect"

config '"four": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"six": { "url": "http://[::1]:3002/mcp", "deny_errno": "EHOSTUNREACH" },
	"plain": { "url": "http://127.0.0.1:3003/mcp" },
	"second": { "url": "http://127.0.0.2:3003/mcp" },
	"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EACCES" },
	"far6": { "url": "http://[fd53::2]:3004/mcp", "deny_errno": "EACCES" }'
join_remote
peer_start four 0.0.0.0:3001
peer_start four-udp 0.0.0.0:3001 --udp
peer_start six "[::]:3002" --v6only
peer_start six-udp "[::]:3002" --v6only --udp
peer_start plain 127.0.0.1:3003
peer_start second 127.0.0.2:3003
peer_start other "[::]:3009"
peer_start other-udp "[::]:3009" --udp
PEER_NS=$NS_REMOTE peer_start far "[::]:3004"
PEER_NS=$NS_REMOTE peer_start far-udp "[::]:3004" --udp
start_daemon

# each FUNCTION ADDR:PORT MODES: the function is called as `FUNCTION ADDR:PORT MODE`
each() {
	local mode

	for mode in $3; do
		"$1" "$2" "$mode"
	done
}

reaches() {
	call "$1" --mode "$2" --timeout 2000
	[ "$CALL_STATUS" -eq 77 ] || expect_eq "$RESULT" ok "$1 $2"
}

denied() {
	call "$1" --mode "$2" --timeout 2000
	[ "$CALL_STATUS" -eq 77 ] && return
	expect_eq "$RESULT $ERR" "error $(refusal "$DENY" "$2")" "$1 $2"
	expect_ms "$MS" 100 "$1 $2: ms"
}

untouched() {
	each reaches 127.0.0.1:3009 "$TCP4 $UDP4"
	each reaches "[::1]:3009" "$TCP6 $UDP6"
	each reaches 127.0.0.2:3003 "$TCP4" # its own entry; 127.0.0.1:3003 is another
}

# Nothing of what follows may reach these peers.
PEERS="four four-udp six six-udp plain far far-udp"
zero() {
	local p

	for p in $PEERS; do
		peer_ctl "$p" zero
	done
}

expect_untouched_peers() {
	local p

	for p in $PEERS; do
		expect_eq "$(peer_stat "$p" accepted) $(peer_stat "$p" datagrams)" "0 0" "reached $p"
	done
}

all_denied() {
	each denied 127.0.0.1:3001 "$TCP4 $UDP4"
	each denied "[::1]:3002" "$TCP6 $UDP6"
	each denied 0.0.0.0:3001 "tcp v4mapped nonblock udp-sendto udp-mapped"
	each denied "[::]:3002" "tcp udp-sendto"
	each denied 127.9.9.9:3001 "$TCP4 $UDP4" # no other entry: another way to the same
	each denied $LOCAL4:3001 "tcp v4mapped udp-sendto"
	each denied "[$LOCAL6]:3002" "tcp udp-sendto"
	DENY=ECONNREFUSED each denied 127.0.0.1:3003 "$TCP4"
	DENY=EACCES each denied $REMOTE4:3004 "$TCP4 $UDP4"
	DENY=EACCES each denied "[$REMOTE6]:3004" "$TCP6 $UDP6"
}

t "closed: every kind of socket reaches every server"
each reaches 127.0.0.1:3001 "$TCP4 $UDP4"
each reaches "[::1]:3002" "$TCP6 $UDP6"
each reaches 0.0.0.0:3001 "tcp v4mapped udp-sendto udp-mapped"
each reaches $REMOTE4:3004 "$TCP4 $UDP4"
each reaches "[$REMOTE6]:3004" "$TCP6 $UDP6"
untouched

for how in trip quarantine; do
	for name in four six plain far far6; do
		if [ $how = trip ]; then
			sg trip $name >/dev/null
		else
			sg quarantine $name --reason test >/dev/null
		fi
	done
	zero
	t "$how: every kind of socket gets the configured errno at once"
	all_denied
	t "$how: nothing reached a server"
	expect_untouched_peers
	t "$how: destinations that are not listed are untouched"
	untouched
	t "$how: the refusals are counted and shown"
	expect_within "$(counter four denied)" 10 300
	expect_server four verdict refuse
	for name in four six plain far far6; do
		[ $how = trip ] && sg reset $name >/dev/null
		[ $how = trip ] || sg release $name >/dev/null
	done
	t "$how taken back: every server is reached again"
	each reaches 127.0.0.1:3001 "$TCP4 $UDP4"
	each reaches "[::1]:3002" "$TCP6"
	each reaches $REMOTE4:3004 "tcp v4mapped"
done

t "open by its own failures: every kind of socket gets the configured errno at once"
peer_ctl four answer 503
peer_ctl six answer 503
agent --connect 127.0.0.1:3001 --count 3 >/dev/null
agent --connect "[::1]:3002" --count 3 >/dev/null
each denied 127.0.0.1:3001 "$TCP4 $UDP4"
each denied "[::1]:3002" "$TCP6 $UDP6"
expect_server four state open
expect_server six state open
untouched

t "an unlisted port of a refused server's address is untouched"
expect_answer 127.0.0.1:3003 200
expect_answer $REMOTE4:3004 200

t "no mark exempts: a default container may set any; the daemon's own sockets have their cookies listed"
sg trip plain >/dev/null
expect_error 127.0.0.1:3003 ECONNREFUSED
expect_error 127.0.0.1:3003 ECONNREFUSED --mark $((0x53474752))
expect_error 127.0.0.1:3003 ECONNREFUSED --mark 1
expect_server plain state forced_open

finish
