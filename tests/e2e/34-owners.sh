#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Each endpoint has one owner: a name that is pointed at another server's address takes
# nothing from it, no order is lifted by it, and it has the address when the owner leaves.
# In a mount namespace of its own: /etc/hosts is what names resolve to here.
[ -n "${SG_OWN_MOUNTS:-}" ] || SG_OWN_MOUNTS=1 exec unshare --mount -- "$BASH" "$0" "$@"
. "$(dirname "$0")/lib.sh"

: >"$TMP/hosts"
mount --bind "$TMP/hosts" /etc/hosts

hosts() { # "ADDRESS NAME"...
	printf '127.0.0.1 localhost\n' >"$TMP/hosts"
	printf '%s\n' "$@" >>"$TMP/hosts"
}

server_at() { # NAME PORT
	echo "\"$1\": { \"url\": \"http://$2/mcp\", \"deny_errno\": \"EHOSTUNREACH\" }"
}

configure() { # SERVER...
	local IFS=,

	config "$*" '"resolve_seconds": 1'
}

reload() {
	kill -HUP "$DAEMON"
	RELOADS=$((RELOADS + 1))
	expect_soon 5 eval '[ "$(sg events --since 100s | grep -c " reload ")" -ge $RELOADS ]'
}
RELOADS=0

owner_of() { # SERVER
	server "$1" endpoints.0.owner 2>/dev/null
}

peer_start good 127.0.0.1:3001
peer_start moved 127.0.0.3:3001
hosts "127.0.0.1 evil.test" "127.0.0.3 other.test"
configure "$(server_at good 127.0.0.1:3001)" "$(server_at evil evil.test:3001)" \
	"$(server_at other other.test:3001)"
start_daemon
expect_soon 10 eval '[ "$(owner_of evil)" = good ]'

t "a name at another server's address takes nothing from it"
expect_ok sg quarantine good --reason test
expect_denied 127.0.0.1:3001
expect_eq "$(counter evil denied)" 0
expect_match "$(sg show evil)" '*127.0.0.1:3001 (of "good")*'
expect_match "$(cat "$LOG")" '*"evil": its address 127.0.0.1, port 3001 is another*'

t "its own orders are not the owner's"
expect_ok sg release good
expect_ok sg quarantine evil --reason test
expect_answer 127.0.0.1:3001 200
expect_ok sg release evil

t "a name takes nothing from another name, whoever stands first"
hosts "127.0.0.3 evil.test" "127.0.0.3 other.test"
expect_soon 10 eval '[ "$(owner_of evil)" = other ]'
expect_server other shared claimed
expect_ok sg quarantine other --reason test
expect_error 127.0.0.3:3001 ECONNABORTED --host other.test
expect_error 127.0.0.3:3001 ECONNABORTED --host 127.0.0.3
expect_answer 127.0.0.3:3001 200 --host evil.test
expect_ok sg release other

t "when the owner moves away, the next one has it"
hosts "127.0.0.3 evil.test" "127.0.0.4 other.test"
expect_soon 10 eval '[ "$(server evil endpoints.0.address)" = 127.0.0.3 ] && [ -z "$(owner_of evil)" ]'
expect_ok sg quarantine evil --reason test
expect_denied 127.0.0.3:3001
expect_ok sg release evil
expect_answer 127.0.0.3:3001 200

t "an address in the configuration is before a name that had it"
configure "$(server_at good 127.0.0.1:3001)" "$(server_at evil evil.test:3001)" \
	"$(server_at literal 127.0.0.3:3001)"
reload
expect_soon 5 eval '[ "$(owner_of evil)" = literal ]'
expect_ok sg quarantine literal --reason test
expect_denied 127.0.0.3:3001

t "and it stays so over a takeover, before any name is resolved"
kill9_daemon
hosts
start_daemon
expect_denied 127.0.0.3:3001
expect_server literal quarantine.reason test
hosts "127.0.0.3 evil.test"

t "endpoints that change hands are denied all the time"
expect_ok sg quarantine good --reason test
for _ in 1 2 3 4 5; do
	configure "$(server_at good 127.0.0.3:3001)" "$(server_at literal 127.0.0.1:3001)"
	kill -HUP "$DAEMON"
	all_until $(($(now_ms) + 200)) expect_denied 127.0.0.1:3001
	configure "$(server_at good 127.0.0.1:3001)" "$(server_at literal 127.0.0.3:3001)"
	kill -HUP "$DAEMON"
	all_until $(($(now_ms) + 200)) expect_denied 127.0.0.3:3001
done

t "a container that calls it by an address of the host is under its verdicts"
expect_ok sg release good
join_remote
join_other
"$TOOLS/nsrun" --net "$NS_REMOTE" -- sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip -n "$NS" route add 10.84.0.0/24 via $REMOTE4
hosts
configure "$(server_at good 127.0.0.1:3002)" "$(server_at silent 127.0.0.1:3003)"
kill -HUP "$DAEMON"
peer_start wide 0.0.0.0:3002
expect_soon 5 eval '[ "$(status servers.#)" -ge 2 ]'
from_container() { # ADDR:PORT
	AGENT_NS=$NS_OTHER
	call "$@"
	AGENT_NS=
}
from_container $LOCAL4:3002
expect_eq "$RESULT $STATUS" "ok 200"
expect_soon 5 eval '[ "$(counter good responses.2xx)" -ge 1 ]'
expect_ok sg quarantine good --reason test
publish "$TOOLS/agent"
for address in $LOCAL4:3002 "[::ffff:$LOCAL4]:3002"; do
	from_container $address
	expect_eq "$RESULT $ERR" "error $(refusal EHOSTUNREACH tcp)" "root's call to $address"
	AGENT_AS=(--uid 65534)
	from_container $address
	AGENT_AS=()
	expect_eq "$RESULT $ERR" "error $(refusal EHOSTUNREACH tcp)" "nobody's call to $address"
done
expect_denied $LOCAL4:3002
expect_ok sg release good

t "and what fails there proves nothing"
for _ in 1 2 3 4 5; do
	from_container $LOCAL4:3003
	expect_eq "$RESULT $ERR" "error ECONNREFUSED"
done
expect_soon 5 eval '[ "$(counter silent connects)" -ge 5 ]'
expect_server silent state closed
for _ in 1 2 3; do
	expect_error 127.0.0.1:3003 ECONNREFUSED
done
expect_server silent state open

finish
