#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A server at a Unix socket where the kernel does not see connects to them (before 6.7; here
# nothing is loaded that would): it is listed, with the reason, beside others that are watched.
. "$(dirname "$0")/lib.sh"

export SWITCHGEAR_WITHOUT=sg_connect_unix

SERVERS='"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"local": { "url": "unix:/run/mcp.sock" }'
config "$SERVERS, \"files\": { \"command\": \"npx\" }"
peer_start a 127.0.0.1:3001
start_daemon

t "it is listed, and says why it is not watched"
expect_server local visibility none
expect_server local url unix:///run/mcp.sock
expect_match "$(server local visibility_reason)" "connects to Unix sockets are neither seen nor refused here: *Linux 6.7*"
expect_match "$(sg show local)" "*visibility *none: connects to Unix sockets are neither seen*"
expect_match "$(sg status)" "*local *"
expect_match "$(server files visibility_reason)" "it is run as a command*"
expect_eq "$(server a visibility_reason)" "" "of one that is watched"
expect_match "$(cat "$LOG")" '*server "local": unix:///run/mcp.sock, visibility none*'
expect_degraded

t "orders to it fail, and say why"
for order in "quarantine local --reason test" "trip local" "reset local"; do
	# shellcheck disable=SC2086 # words
	expect_refused sg $order
	expect_match "$OUT" "*at a Unix socket*Linux 6.7*"
done

t "the others are watched"
expect_ok sg quarantine a --reason test
expect_denied 127.0.0.1:3001
expect_ok sg release a

t "a server that moves to one is not watched any more, and back"
config '"a": { "url": "unix:@mcp" }'
kill -HUP "$DAEMON"
expect_server_soon a visibility none
expect_answer 127.0.0.1:3001 200
expect_refused sg quarantine a --reason test
config "$SERVERS"
kill -HUP "$DAEMON"
expect_server_soon a visibility plaintext
expect_ok sg quarantine a --reason test
expect_denied 127.0.0.1:3001

t "nothing is attached for it"
expect_ne "$(ls "$PINS")" "" pins
expect_eq "$(cd "$PINS" && echo *unix*)" unix2srv pins

t "--check accepts it"
expect_ok "$BUILD/switchgeard" --config "$CONFIG" --check

finish
