#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Several names at one address and port: each is refused by its name, over TLS 1.2 and 1.3 and in
# clear, and none takes another one with it, configured or not.
# In a mount namespace of its own: /etc/hosts is what names resolve to here.
[ -n "${SG_OWN_MOUNTS:-}" ] || SG_OWN_MOUNTS=1 exec unshare --mount -- "$BASH" "$0" "$@"
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"
. "$E2E_DIR/tls.sh"

: >"$TMP/hosts"
mount --bind "$TMP/hosts" /etc/hosts
hosts() { # NAME...: they are at 127.0.0.1, and others elsewhere
	{
		echo "127.0.0.1 localhost"
		printf '127.0.0.1 %s\n' "$@"
		printf '127.0.0.9 %s\n' one.test two.test clear.test clearer.test
	} >"$TMP/hosts.new"
	awk '!seen[$2]++' "$TMP/hosts.new" >"$TMP/hosts"
}

authority
certificate cdn 127.0.0.1 -1day +2day
{
	tls_server 3441 cdn "ssl_protocols TLSv1.2 TLSv1.3;"
	echo "server { listen 127.0.0.1:3446; location / { proxy_pass http://127.0.0.1:3001; } }"
} | nginx_configure
peer_start back 127.0.0.1:3001 --answer ok
nginx_start 3441

configure() { # OPTIONS-OF-ONE
	config "\"one\": { \"url\": \"https://one.test:3441/mcp\"$1 },
		\"two\": { \"url\": \"https://two.test:3441/mcp\" },
		\"clear\": { \"url\": \"http://clear.test:3446/mcp\" },
		\"clearer\": { \"url\": \"http://clearer.test:3446/mcp\" }" '"resolve_seconds": 1'
}

# The exit status of curl: 0, or what it fails with.
fetch() { # URL [OPTION...]
	"$TOOLS/nsrun" --cgroup "$CG" --net "$NS" -- curl -sk -o /dev/null -m 10 \
		--resolve "*:3441:127.0.0.1" --resolve "*:3446:127.0.0.1" "$@" >/dev/null 2>&1
	echo $?
}

expect_passes() { # URL [OPTION...]
	expect_eq "$(fetch "$@")" 0 "fetching $*"
}

# 7: refused at the connect; else it got as far as to say whom it is for.
expect_cut() { # URL [OPTION...]
	local got

	got=$(fetch "$@")
	expect_match "$got" "[1-9]*" "fetching $*"
	expect_ne "$got" 7 "fetching $*: refused at its connect"
	expect_ne "$got" 28 "fetching $*: hung"
}

shared() { # SERVER
	server "$1" shared 2>/dev/null
}

hosts one.test clear.test
configure ""
start_daemon
for name in one clear; do
	expect_server_soon $name endpoints.0.address 127.0.0.1
done
hosts one.test two.test clear.test clearer.test
expect_soon 10 eval '[ "$(shared one)" = claimed ] && [ "$(shared clear)" = claimed ]'

t "a name that points at another one's address is refused there, and nobody else"
expect_ok sg quarantine two --reason test
for tls in --tls-max\ 1.2 --tlsv1.3; do
	# shellcheck disable=SC2086
	expect_cut https://two.test:3441/mcp $tls
	# shellcheck disable=SC2086
	expect_passes https://one.test:3441/mcp $tls
	# shellcheck disable=SC2086
	expect_passes https://else.test:3441/mcp $tls
done
expect_cut https://TWO.test:3441/mcp
expect_ne "$(counter two denied)" 0
expect_eq "$(counter one denied)" 0
expect_ok sg release two
expect_passes https://two.test:3441/mcp

t "nor does who has the address take those with it that only claim it"
expect_ok sg quarantine one --reason test
expect_cut https://one.test:3441/mcp
expect_passes https://two.test:3441/mcp
expect_passes https://else.test:3441/mcp
expect_match "$(sg show one)" "*it is refused by its name*"

t "who names nobody is treated as the address is"
expect_cut https://127.0.0.1:3441/mcp
expect_ok sg release one

t "an open breaker is the same"
expect_ok sg trip one --for 60s --reason test
expect_cut https://one.test:3441/mcp
expect_passes https://two.test:3441/mcp
expect_ok sg reset one

t "in clear by the Host"
expect_ok sg quarantine clear --reason test
expect_cut http://clear.test:3446/mcp
expect_cut http://x.test:3446/mcp -H "hOsT:   Clear.TEST:3446"
expect_cut http://x.test:3446/mcp -H "X: $(printf 'y%.0s' {1..4000})" -H "Host: clear.test"
expect_passes http://clearer.test:3446/mcp
expect_passes http://else.test:3446/mcp
expect_ok sg release clear

t "strangers are nobody's calls"
before=$(($(counter one requests) + $(counter two requests)))
expect_passes https://else.test:3441/mcp
expect_eq $(($(counter one requests) + $(counter two requests))) "$before"

t "a stranger that is seen while the server is well is not refused with it later"
hosts one.test clear.test
expect_soon 10 eval '[ "$(shared one)" = null ]'
expect_ok sg quarantine one --reason test
expect_eq "$(fetch https://else.test:3441/mcp)" 7 "before anybody was seen"
expect_ok sg release one
expect_passes https://else.test:3441/mcp
expect_soon 15 eval '[ "$(shared one)" = learned ]'
expect_ok sg quarantine one --reason test
expect_passes https://else.test:3441/mcp
expect_cut https://one.test:3441/mcp

t "that is known after a takeover, and without the kernel's memory"
kill9_daemon
expect_passes https://else.test:3441/mcp
start_daemon
expect_server one shared learned
expect_passes https://else.test:3441/mcp
stop_daemon
expect_ok "$BUILD/switchgear" --pin-dir "$PINS" --socket "$SOCKET" detach
start_daemon --attach
expect_server one shared learned
expect_cut https://one.test:3441/mcp
expect_passes https://else.test:3441/mcp

t "the configuration has the last word"
configure ", \"shared\": false"
kill -HUP "$DAEMON"
expect_soon 10 eval '[ "$(shared one)" = null ]'
expect_soon 5 eval '[ "$(fetch https://else.test:3441/mcp)" = 7 ]'
configure ", \"shared\": true"
kill -HUP "$DAEMON"
expect_soon 10 eval '[ "$(shared one)" = configured ]'
expect_passes https://else.test:3441/mcp
expect_cut https://one.test:3441/mcp

finish
