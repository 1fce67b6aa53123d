#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# UDP (what QUIC runs on): refused by every way to send, connected sockets from
# before a quarantine die or send nothing, unlisted destinations are untouched.
. "$(dirname "$0")/lib.sh"

config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"six": { "url": "http://[::1]:3002/mcp", "deny_errno": "EHOSTUNREACH" },
	"far": { "url": "http://10.83.0.2:3004/mcp", "deny_errno": "EHOSTUNREACH" }'
join_remote
peer_start a 0.0.0.0:3001 --udp
peer_start six "[::1]:3002" --udp
peer_start other 0.0.0.0:3009 --udp
PEER_NS=$NS_REMOTE peer_start far 0.0.0.0:3004 --udp
start_daemon
MODES="udp-sendto udp-connect udp-mapped udp-mapped-connect udp-unspec"

t "closed: datagrams pass"
for mode in $MODES; do
	call 127.0.0.1:3001 --mode $mode
	expect_eq "$RESULT" ok $mode
done

for how in quarantine trip; do
	[ $how = trip ] || sg quarantine a --reason test >/dev/null
	[ $how = trip ] || sg quarantine six --reason test >/dev/null
	[ $how = quarantine ] || sg trip a >/dev/null
	[ $how = quarantine ] || sg trip six >/dev/null
	t "$how: refused with the configured errno, in every way"
	peer_ctl a zero
	peer_ctl six zero
	for mode in $MODES; do
		expect_denied 127.0.0.1:3001 --mode $mode
		expect_denied 0.0.0.0:3001 --mode $mode
	done
	expect_denied "[::1]:3002" --mode udp-sendto
	expect_denied "[::1]:3002" --mode udp-connect
	expect_eq "$(peer_stat a datagrams) $(peer_stat six datagrams)" "0 0"

	t "$how: others are untouched, and the refusals are counted"
	for mode in $MODES; do
		call 127.0.0.1:3009 --mode $mode
		expect_eq "$RESULT" ok $mode
	done
	expect_within "$(counter a denied)" 10 100
	[ $how = trip ] || sg release a >/dev/null
	[ $how = trip ] || sg release six >/dev/null
	[ $how = quarantine ] || sg reset a >/dev/null
	[ $how = quarantine ] || sg reset six >/dev/null
done

t "a socket that was connected before the quarantine gets nothing through"
for to in 127.0.0.1:3001 $REMOTE4:3004; do
	name=a
	[ $to = 127.0.0.1:3001 ] || name=far
	for mode in udp-connect udp-mapped-connect; do
		"${IN_CG[@]}" "$TOOLS/agent" --connect $to --mode $mode --keepalive --count 2 \
			--interval 1500 --timeout 500 >"$TMP/udp.out" 2>&1 &
		udp=$!
		PIDS+=("$udp")
		expect_soon 3 grep -q '^1 ok' "$TMP/udp.out"
		expect_ok sg quarantine $name --reason test
		peer_ctl $name zero
		wait $udp
		expect_match "$(tail -n 1 "$TMP/udp.out")" "2 @(error|timeout) *" "$to $mode"
		expect_eq "$(peer_stat $name datagrams)" 0 "$to $mode: datagrams"
		expect_ok sg release $name
	done
done

t "released: datagrams pass at once"
for mode in $MODES; do
	call 127.0.0.1:3001 --mode $mode
	expect_eq "$RESULT" ok $mode
done

finish
