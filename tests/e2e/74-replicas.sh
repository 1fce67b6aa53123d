#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Redirects by the kernel alone: to a replica behind TLS, and from other network namespaces; they
# outlive the daemon, end when the server is back, and nobody else's traffic notices.
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"
. "$E2E_DIR/tls.sh"

join_remote
join_other
authority
certificate good 127.0.0.1 -1day +2day
certificate twin 127.0.0.1 -1day +2day
{
	tls_server 3441 good
	tls_server 3442 twin
	echo "server { listen 127.0.0.1:3010; return 200 other; keepalive_requests 100000; }"
} | nginx_configure
peer_start back 127.0.0.1:3001 --answer ok
PEER_NS=$NS_REMOTE peer_start far $REMOTE4:3021 --answer ok
PEER_NS=$NS_REMOTE peer_start far2 $REMOTE4:3022 --answer ok
nginx_start 3010
config "\"tls\": { \"url\": \"https://127.0.0.1:3441/mcp\", \"fallback\": [\"twin\"] },
	\"twin\": { \"url\": \"https://127.0.0.1:3442/mcp\" },
	\"far\": { \"url\": \"http://$REMOTE4:3021/\",
		\"fallback\": { \"servers\": [\"far2\"], \"direct\": true, \"share_authorization\": true } },
	\"far2\": { \"url\": \"http://$REMOTE4:3022/\" }" "\"ca_file\": \"$TMP/ca.pem\""
start_daemon

# Whose certificate an agent sees that asks for the first one, "-": it was refused.
seen() {
	in_cg curl -sS -m 5 --cacert "$TMP/ca.pem" -o /dev/null -w '%{certs}' \
		https://127.0.0.1:3441/mcp 2>"$TMP/curl.log" | sed -n 's/^Subject:CN = //p;s/^Subject:CN=//p' | head -n 1
	grep -q . "$TMP/curl.log" && echo -
}
seen_is() { # NAME
	[ "$(seen)" = "$1" ]
}

t "a replica is used once it has answered"
expect_server_soon tls fallback.kind direct 20
expect_server tls fallback.to twin
expect_server_soon far fallback.kind direct 20
expect_eq "$(seen)" good "the certificate"

t "while the server is out of service agents reach the replica, and their TLS is content"
expect_ok sg trip tls --reason upgrade
expect_server tls verdict redirect
expect_eq "$(seen)" twin "the certificate"
expect_server tls counters.redirected 1
[ "$(counter twin connects)" -ge 1 ] || fail "the replica's connects: $(counter twin connects)"
expect_match "$(sg why 127.0.0.1:3441)" "*redirect*taken it out of service: upgrade*reaches \"twin\" in its place*"

t "from a container, to an address that means the same everywhere"
expect_ok sg quarantine far --reason test
AGENT_NS=$NS_OTHER
call $REMOTE4:3021
expect_eq "$RESULT $STATUS" "ok 200" "the container's call"
AGENT_NS=
[ "$(peer_stat far2 requests)" -ge 1 ] || fail "the other server got no request"
[ "$(counter far redirected)" -ge 1 ] || fail "nothing was redirected"

t "what is local to the daemon's namespace is not reached from another one"
AGENT_NS=$NS_OTHER
expect_error 127.0.0.1:3441 ECONNREFUSED # its own loopback: nobody is there
AGENT_NS=

t "a daemon that is killed leaves the redirects, and the next one finds them"
kill -9 "$DAEMON"
reap_daemon
expect_eq "$(seen)" twin "the certificate"
pass_time 1.2 'the lease is to be over'
expect_eq "$(seen)" twin "the certificate without a lease"
start_daemon
expect_eq "$(seen)" twin "the certificate with the next daemon"
expect_server_soon tls fallback.kind direct 20

t "a replica that is denied itself is not used"
expect_ok sg quarantine twin --reason test
expect_eq "$(seen)" - "the certificate"
expect_server_soon tls fallback.kind refuse
expect_match "$(sg show tls)" "*twin*it is in quarantine*"
expect_ok sg release twin
expect_server_soon tls fallback.kind direct 20
expect_eq "$(seen)" twin "the certificate"

t "killed at any point of a failover, the daemon leaves the old or the new state"
for i in $(seq 20); do
	sg reset tls >/dev/null
	(sg trip tls >/dev/null 2>&1) &
	pass_time "0.0$((i * 37 % 100))" 'the point at which it is killed'
	kill -9 "$DAEMON"
	reap_daemon
	wait $! 2>/dev/null
	SEEN=$(seen)
	case $SEEN in
	good | twin) ;;
	*) fail "round $i: an agent saw \"$SEEN\": $(cat "$TMP/curl.log")" ;;
	esac
	start_daemon
	expect_soon 10 eval '[ "$(seen)" = good ] || [ "$(seen)" = twin ]'
done
expect_server_soon tls fallback.kind direct 20

t "the server is back: agents reach it again, and what was open ends between two calls"
expect_ok sg trip tls
expect_eq "$(seen)" twin "the certificate"
expect_ok sg reset tls
expect_eq "$(seen)" good "the certificate"
expect_ok sg release far
steps_start $REMOTE4:3021
expect_ok sg trip far
expect_step ok - - open 1
expect_step ok - 200 call 1
expect_ok sg reset far
expect_soon 5 eval 'step call 1; [ "$RESULT" != ok ]'
steps_stop

t "10,000 requests to another server during all of it: no error"
agent --connect 127.0.0.1:3010 --get --path / --keepalive --count 10000 >"$TMP/others" 2>&1 &
OTHERS=$!
PIDS+=("$OTHERS")
while kill -0 "$OTHERS" 2>/dev/null; do
	sg quarantine tls --reason test >/dev/null
	seen >/dev/null
	sg release tls >/dev/null
	sg trip far >/dev/null
	sg reset far >/dev/null
done
wait "$OTHERS"
expect_eq "$?" 0 "the status of the agent that made them"
expect_eq "$(grep -c ' ok ' "$TMP/others")" 10000 "requests that were answered"
finish
