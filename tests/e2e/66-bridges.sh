#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What clients run in front of a server, at a version that is known to be vulnerable: told when
# their files are read, found once of the server behind it, and gone when that is mended. And what
# a registry says of a server.
. "$(dirname "$0")/lib.sh"

HOME_DIR=$TMP/home
client_file() { # VERSION
	mkdir -p "$HOME_DIR/.cursor"
	cat >"$HOME_DIR/.cursor/mcp.json" <<END
{ "mcpServers": {
	"wiki": { "command": "npx", "args": ["-y", "mcp-remote@$1", "http://127.0.0.1:3001/mcp"] },
	"notes": { "command": "npx", "args": ["-y", "mcp-remote", "http://127.0.0.1:3002/mcp"] },
	"inspect": { "command": "npx", "args": ["@modelcontextprotocol/inspector@0.14.1", "x"] } } }
END
}
import() { # what becomes of it
	"$BUILD/switchgeard" --import "$HOME_DIR" >"$CONFIG" 2>"$TMP/import.err"
}
found() { # NAME: rules of our own findings
	sg explain "$1" --json >"$TMP/explain"
	"$TOOLS/jget" "$TMP/explain" 'findings[source=switchgear (bridges)].rule' 2>/dev/null
}
found_is() { # NAME RULE
	[ "$(found "$1")" = "$2" ]
}

t "the version of a bridge survives the import, and is warned of"
client_file 0.1.10
expect_ok import
expect_eq "$(grep -c '"bridge": *"mcp-remote@0.1.10"' "$CONFIG")" 1
expect_match "$("$BUILD/switchgeard" --config "$CONFIG" --check 2>&1)" \
	"*warning: mcpServers.wiki: mcp-remote 0.1.10 has CVE-2025-6514*use 0.1.16 or later*"

t "it is a finding of the server behind it, which quarantines nobody by itself"
start_daemon
expect_eq "$(found wiki)" CVE-2025-6514
expect_eq "$(found notes)" ""
expect_eq "$(found inspect)" CVE-2025-58444
expect_match "$(sg explain wiki)" "*critical*CVE-2025-6514*mcp-remote 0.1.10*"
expect_server wiki quarantine null

t "once, also with another daemon"
kill -HUP "$DAEMON"
stop_daemon
start_daemon
expect_eq "$(found wiki)" CVE-2025-6514
expect_eq "$("$TOOLS/jget" "$TMP/explain" 'findings.#')" 1

t "it is gone when the client's file is mended and read again"
client_file 0.1.16
expect_ok import
kill -HUP "$DAEMON"
expect_soon 5 found_is wiki ''
expect_eq "$(found inspect)" CVE-2025-58444

entry() { # URL [MEMBERS]: what a registry says of it
	cat >"$TMP/server.json" <<END
{ "name": "com.example/wiki", "version": "1.0.0",
  "remotes": [{ "type": "streamable-http", "url": "$1" }]${2:+, $2} }
END
}
verify() { # [OPTION...]
	sg verify wiki --server-json "$TMP/server.json" "$@" >"$TMP/verified" 2>&1
	echo $?
}

t "a registry's entry is compared with the server"
entry "http://127.0.0.1:{port}/mcp"
expect_eq "$(verify)" 0
expect_match "$(cat "$TMP/verified")" "wiki: is com.example/wiki 1.0.0*url * matches*proves who owns the name*"
entry "http://127.0.0.1:3009/mcp"
expect_eq "$(verify --json)" 1
expect_eq "$("$TOOLS/jget" "$TMP/verified" 'checks[check=url].result')" differs
expect_eq "$("$TOOLS/jget" "$TMP/verified" matches)" false
entry "ftp://127.0.0.1/mcp"
expect_eq "$(verify)" 2
expect_match "$(cat "$TMP/verified")" "*server.json:2:*: remotes?0?.url: not an http or https URL*"

t "what was deleted does not match, and is a finding if that is asked for"
entry "http://127.0.0.1:3001/mcp" '"status": "deleted"'
expect_eq "$(verify)" 1
expect_match "$(cat "$TMP/verified")" "*status * differs *deleted from the registry*"
sg explain wiki --json >"$TMP/explain"
expect_eq "$("$TOOLS/jget" "$TMP/explain" 'findings[source=registry].rule' 2>/dev/null)" ""
expect_eq "$(verify --report)" 1
expect_match "$(cat "$TMP/verified")" "*reported*"
sg explain wiki --json >"$TMP/explain"
expect_eq "$("$TOOLS/jget" "$TMP/explain" 'findings[source=registry].rule')" deleted
expect_server wiki quarantine null

finish
