#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What agents' own TLS connections tell without their keys: whose fault a failed handshake is,
# and that an answer which stops is no success. nginx ends the TLS, openssl speaks it.
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"
. "$E2E_DIR/tls.sh"

authority
certificate good 127.0.0.1 -1day +2day
certificate expired 127.0.0.1 -9day -1day
{
	echo "ssl_protocols TLSv1.2 TLSv1.3;"
	tls_server 3441 good
	tls_server 3442 expired
	tls_server 3443 good
	tls_server 3444 good "ssl_client_certificate $TMP/ca.pem; ssl_verify_client on;
		ssl_protocols TLSv1.2;"
	tls_server 3445 good
} | nginx_configure

all=
for at in good=3441 expired=3442 stalls=3443 mutual=3444 multi=3445; do
	all+="${all:+, }\"${at%=*}\": { \"url\": \"https://127.0.0.1:${at#*=}/mcp\",
		\"deny_errno\": \"EHOSTUNREACH\",
		\"breaker\": { \"consecutive_failures\": 3, \"min_calls\": 20, \"open_seconds\": 600 } }"
done
config "$all"
peer_start back 127.0.0.1:3001 --answer ok+body=2000
nginx_start 3441
start_daemon

REQUEST='POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n'
# Calls, and closes when the answer is there, unless it takes too long.
tls() { # PORT [OPTION...]; the request comes from standard input
	"${IN_CG[@]}" timeout "$PATIENCE" openssl s_client -connect "127.0.0.1:$1" -quiet -ign_eof \
		"${@:2}" >"$TMP/tls" 2>"$TMP/tls.log"
}
PATIENCE=$((5 * SLOW))
one_call() {
	printf '%bConnection: close\r\n\r\n{}' "$REQUEST"
}

t "a client that does not trust the server is no failure, whatever version it speaks"
for version in -tls1_2 -tls1_3; do
	for _ in 1 2 3 4 5; do
		one_call | tls 3441 $version -verify_return_error
	done
done
expect_match "$(cat "$TMP/tls.log")" "*verify*" "what openssl says"
expect_server good state closed
expect_server good breaker.consecutive_failures 0
expect_soon 5 causes_are good "10 caller distrust"
expect_server good counters.tls.failed 10

t "a certificate that is over is one, where the alert can be read"
for _ in 1 2 3; do
	one_call | tls 3442 -tls1_2 -CAfile "$TMP/ca.pem" -verify_return_error
done
expect_server_soon expired state open
expect_soon 5 causes_are expired "3 hard certificate"

t "a server that wants a certificate of the client blames the client"
for _ in 1 2 3 4 5; do
	one_call | tls 3444 -tls1_2 -CAfile "$TMP/ca.pem"
done
expect_server mutual state closed

t "an answer that ends with the connection is a success"
for _ in 1 2 3; do
	one_call | tls 3441 -CAfile "$TMP/ca.pem" -verify_return_error
	expect_match "$(cat "$TMP/tls")" "HTTP/1.1 200*" "the answer"
done
expect_soon 5 causes_are good "10 caller distrust,3 success answer"

t "and so is one after which the client calls again"
two_calls() {
	printf '%b\r\n{}' "$REQUEST"
	wait_for 10 answered_once
	pass_time 1 "the answer of the first is over, as far as anybody sees"
	one_call
}
answered_once() {
	grep -aq '^HTTP/1.1 200' "$TMP/tls"
}
: >"$TMP/tls"
two_calls | tls 3441 -CAfile "$TMP/ca.pem"
expect_eq "$(grep -ao 'HTTP/1.1 200' "$TMP/tls" | wc -l)" 2 "answers"
expect_soon 5 causes_are good "10 caller distrust,5 success answer"

t "an answer that stops is neither, and moves nothing"
peer_ctl back answer ok+body=4000+parts=2+gap=600000
PATIENCE=$((2 * SLOW))
for _ in 1 2 3 4 5 6; do
	printf '%b\r\n{}' "$REQUEST" | tls 3443 -CAfile "$TMP/ca.pem"
done
expect_match "$(cat "$TMP/tls")" "HTTP/1.1 200*" "its beginning"
expect_soon 5 causes_are stalls "6 unknown unseen"
expect_server stalls state closed

t "handshakes are timed and counted, and so are those that offer HTTP/2"
one_call | tls 3445 -CAfile "$TMP/ca.pem" -alpn h2,http/1.1
expect_server multi counters.tls.h2_offered 1
expect_server multi counters.tls.handshakes 1
expect_server stalls counters.tls.handshakes 6
expect_server stalls counters.tls.h2_offered 0
expect_match "$(server stalls handshake_ms.p50)" "[0-9]*"
expect_match "$(sg show stalls)" "*tls handshake *p50 [0-9]*ms*"

finish
