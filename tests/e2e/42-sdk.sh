#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Clients of the official TypeScript SDK and a server of it on `localhost`, which has an address
# of each family, while the server listens on one of them: each call succeeds on one of two
# connects, and no breaker opens. In a mount namespace of its own, for /etc/hosts.
[ -n "${SG_OWN_MOUNTS:-}" ] || SG_OWN_MOUNTS=1 exec unshare --mount -- "$BASH" "$0" "$@"
. "$(dirname "$0")/lib.sh"

command -v npm >/dev/null || {
	t_skip "clients of the official SDK" "npm is not installed"
	finish
}
NODE=$BUILD/demo/node_modules/node/bin/node
CLIENTS=8 CALLS=10
declare -A PORT=([v4]=3001 [v6]=3002) ADDRESS=([v4]=127.0.0.1 [v6]=::1)
declare -A DEAD_FIRST=([v4]=verbatim [v6]=ipv4first) # the resolver has ::1 before 127.0.0.1

printf '127.0.0.1 localhost\n::1 localhost\n' >"$TMP/hosts"
mount --bind "$TMP/hosts" /etc/hosts
config "\"v4\": { \"url\": \"http://localhost:${PORT[v4]}/mcp\", \"deny_errno\": \"EHOSTUNREACH\" },
	\"v6\": { \"url\": \"http://localhost:${PORT[v6]}/mcp\", \"deny_errno\": \"EHOSTUNREACH\" }"

# The server of the SDK's authors, which listens at all addresses, is kept to one.
cat >"$TMP/one.mjs" <<'END'
import { Server } from "node:net";
const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
	return listen.call(this, port, process.env.ONE_ADDRESS, ...rest);
};
END

sdk_server() { # FAMILY
	env "PORT=${PORT[$1]}" "ONE_ADDRESS=${ADDRESS[$1]}" "${IN_CG[@]}" "$NODE" \
		--import "$TMP/one.mjs" "$BUILD/demo/node_modules/.bin/mcp-server-everything" \
		streamableHttp >"$TMP/$1.log" 2>&1 &
	SDK_SERVER[$1]=$!
	PIDS+=("$!")
	expect_soon 15 grep -q listening "$TMP/$1.log"
}
declare -A SDK_SERVER

sdk_clients() { # FAMILY
	in_cg "$NODE" --dns-result-order="${DEAD_FIRST[$1]}" "$BUILD/demo/sdk.mjs" "http://localhost:${PORT[$1]}/mcp" $CLIENTS $CALLS 2>&1
}

# Events of successes come with the daemon's tick.
successes_are() { # FAMILY AT-LEAST
	sg events --calls --json --since 600s --server "$1" >"$TMP/calls"
	[ "$("$TOOLS/jget" --lines "$TMP/calls" outcome op=call | grep -c success)" -ge "$2" ]
}

t "the packages are there"
expect_ok "$E2E_DIR/../demo/packages" "$BUILD/demo"
expect_ok add_scripts "$BUILD/demo" "$E2E_DIR/sdk.mjs"
[ "$T_FAILED" -eq 0 ] || finish
start_daemon

for family in v4 v6; do
	t "$CLIENTS clients at once on localhost, the server on ${ADDRESS[$family]} alone"
	sdk_server $family
	expect_soon 10 eval '[ "$(server $family endpoints.#)" -eq 2 ]'
	for _ in 1 2 3; do
		expect_eq "$(sdk_clients $family)" "ok $((CLIENTS * CALLS))"
		expect_server $family breaker.consecutive_failures 0
	done
	expect_server $family state closed
	expect_within "$(counter $family requests)" $((3 * CLIENTS * CALLS)) 100000
	expect_soon 5 successes_are $family $((3 * CLIENTS * CALLS))
	expect_eq "$(grep -c '"outcome":"hard"' "$TMP/calls")" 0 "failures"
	expect_within "$(grep -c other_address "$TMP/calls")" $CLIENTS 100000 "connects to the dead one"
	expect_eq "$(sg events --since 600s --server $family | grep -c transition)" 0 "transitions"

	t "and when it is tripped all of them are refused, at both addresses"
	expect_ok sg trip $family
	expect_eq "$(sdk_clients $family)" "$DENIED $CLIENTS"
	expect_ok sg reset $family
	expect_eq "$(sdk_clients $family)" "ok $((CLIENTS * CALLS))"

	t "when it dies at both, three failures open it"
	kill -KILL "${SDK_SERVER[$family]}"
	wait "${SDK_SERVER[$family]}" 2>/dev/null
	expect_match "$(sdk_clients $family)" "*ECONNREFUSED*"
	expect_server_soon $family state open
done

finish
