#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Who calls a server through a proxy, as his environment says: from when that is noticed such calls
# are watched, or `status` says which processes those are. A real curl, a real nginx as proxy.
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"
. "$E2E_DIR/tls.sh"
command -v curl >/dev/null || {
	fail "no curl; run: make deps"
	finish
}

PROXY=127.0.0.1:8888
TUNNELS=127.0.0.1:8889 # another one, which nginx is not
authority
certificate good 127.0.0.1 -1day +2day
config '"a": { "url": "http://127.0.0.1:3001/mcp", "deny_errno": "EHOSTUNREACH" },
	"b": { "url": "http://127.0.0.2:3002/mcp" },
	"far": { "url": "https://192.0.2.1:443/mcp" },
	"secure": { "url": "https://127.0.0.1:3441/mcp" }' \
	'"proxies": ["http://'$TUNNELS'"]'
peer_start a 127.0.0.1:3001 --answer hang
nginx_configure <<END
server {
	listen $PROXY;
	location / { proxy_pass http://\$http_host\$uri; proxy_read_timeout 600; }
}
server {
	listen 127.0.0.1:3441 ssl; ssl_certificate $TMP/good.pem; ssl_certificate_key $TMP/good.key;
	location / { default_type application/json; return 200 "[$(printf %02000d 0)]"; }
}
END
nginx_start "${PROXY#*:}"

# A call that waits for its answer, with these variables; its pid comes in CURL.
curl_start() { # VARIABLE=VALUE...
	"${IN_CG[@]}" env "$@" curl -s -m 600 -d '{}' http://127.0.0.1:3001/mcp >/dev/null &
	CURL=$!
	PIDS+=("$CURL")
}

look() { # it looks once a minute, and a second after the configuration was read
	kill -HUP "$DAEMON"
}

t "without a proxy nobody is named, and the call is watched"
curl_start A=b
start_daemon
expect_soon 5 eval '[ "$(peer_stat a requests)" -ge 1 ]'
pass_time $((3 * SLOW)) "nothing is found, and nothing else tells that it looked"
expect_degraded
expect_eq "$(server a proxied.#)" 0
kill "$CURL"

t "a process whose proxy cannot be watched is named, with its pid, its name and the proxy, and no secret of it"
"${IN_CG[@]}" env http_proxy=socks5://user:hush@$PROXY/hush no_proxy=127.0.0.2 tail -f /dev/null &
CURL=$!
PIDS+=("$CURL")
look
expect_soon 10 eval '[ "$(server a proxied.#)" -eq 1 ]'
expect_eq "$(server a proxied.0.pid) $(server a proxied.0.comm) $(server a proxied.0.proxy)" \
	"$CURL tail $PROXY"
expect_eq "$(server a proxied.0.watched)" false
expect_match "$(status health.degraded)" \
	"*1 process of the protected cgroup calls servers through a proxy*pid $CURL (tail) by $PROXY*a*"
expect_match "$(sg show a)" "*not watched *pid $CURL (tail), through the proxy $PROXY*"
expect_match "$(cat "$LOG")" "*proxies: 1 process*pid $CURL (tail)*"
expect_eq "$(cat "$LOG" <(sg status --json) <(sg show a) | grep -c hush)" 0

t "but not at servers that are called directly, or by a scheme without a proxy"
expect_eq "$(server b proxied.#)" 0 # no_proxy
expect_eq "$(server far proxied.#)" 0

t "when it ends it is not named any more"
kill "$CURL"
wait "$CURL" 2>/dev/null
look
expect_soon 10 eval '[ "$(server a proxied.#)" -eq 0 ]'
pass_time $((3 * SLOW)) "nothing is found, and nothing else tells that it looked"
expect_degraded

t "a proxy of HTTP in clear is watched from when a process has it; that is shown, and well"
curl_start http_proxy=http://user:hush@$PROXY/hush
look
expect_soon 10 eval '[ "$(server a proxied.0.watched)" = true ]'
expect_degraded
expect_match "$(sg show a)" "*by proxy *pid $CURL (curl), through the proxy $PROXY*"
requests=$(counter a requests)
first=$CURL
curl_start http_proxy=http://user:hush@$PROXY/hush
expect_soon 5 eval "[ \"\$(counter a requests)\" -eq $((requests + 1)) ]"
expect_eq "$(cat "$LOG" <(sg status --json) <(sg show a) | grep -c hush)" 0

t "a quarantine ends such a call and refuses the next; of those before nobody knows"
expect_ok sg quarantine a --reason "test"
wait "$CURL" 2>/dev/null
expect_eq "$?" 56 "the exit status of curl: the connection was lost"
in_cg env http_proxy=http://$PROXY curl -s -m 20 -d '{}' http://127.0.0.1:3001/mcp >/dev/null
expect_eq "$?" 56 "and of the next"
expect_eq "$(in_cg env http_proxy=http://$PROXY curl -s -m 20 -o /dev/null -w '%{http_code}' \
	http://127.0.0.1:3009/)" 502 "what the proxy says of others"
expect_ok kill -0 "$first"

t "TLS in a tunnel is the server's"
"$TOOLS/nsrun" --cgroup "$CG_FAR" --net "$NS" -- "$TOOLS/proxy" --listen $TUNNELS --seconds 600 \
	>"$TMP/tunnels.log" 2>&1 &
PIDS+=("$!")
wait_for 5 grep -q ready "$TMP/tunnels.log"
secure() {
	in_cg env https_proxy=http://$TUNNELS curl -s -m 20 --cacert "$TMP/ca.pem" -o /dev/null \
		-w '%{http_code}' -d '{}' https://127.0.0.1:3441/mcp
}
for _ in 1 2 3; do
	expect_eq "$(secure)" 200
done
expect_soon 5 causes_are secure "3 caller status,3 success answer"
expect_eq "$(server secure counters.tls.handshakes) $(counter secure requests)" "3 6"

t "that it cannot be reached by the proxy is not, and in quarantine it is not asked for"
kill "$NGINX"
wait "$NGINX" 2>/dev/null
for _ in 1 2 3 4 5; do
	expect_eq "$(secure)" 000
done
expect_soon 5 causes_are secure "*5 caller proxy*"
expect_server secure state closed
expect_server secure counters.denied 0
expect_ok sg quarantine secure --reason "test"
expect_eq "$(secure)" 000
expect_server secure counters.denied 1

finish
