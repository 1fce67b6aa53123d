#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Where a server of this host runs, as the configuration says or as its socket tells: a unit, a
# container in a network namespace of its own, a cgroup, none of which shares it with others.
. "$(dirname "$0")/lib.sh"

ISOLATION='"when": "quarantine"'
UNIT=web-$HASH.service
CONTAINER=$HASH$HASH
UNREACHABLE=$(refusal ENETUNREACH)
mkdir "$CG/$UNIT" "$CG/docker-$CONTAINER.scope" "$CG/plain"
join_remote
join_other
peer_start internal 0.0.0.0:3009
config "\"unit\": { \"url\": \"http://127.0.0.1:3001/mcp\", \"local\": { \"unit\": \"$UNIT\" } },
	\"container\": { \"url\": \"http://10.84.0.1:3002/mcp\" },
	\"named\": { \"url\": \"http://127.0.0.1:3003/mcp\",
		\"local\": { \"container\": \"${CONTAINER:0:12}\" } },
	\"cgroup\": { \"url\": \"http://127.0.0.1:3004/mcp\", \"local\": { \"cgroup\": \"$CG/plain\" } },
	\"none\": { \"url\": \"http://127.0.0.1:3005/mcp\", \"local\": { \"unit\": \"no-$HASH.service\" } }"

# A server in a cgroup and namespace, with a process beside it that is none of its children.
serve() { # CGROUP NAMESPACE PORT
	"$TOOLS/nsrun" --cgroup "$1" --net "$2" -- "$TOOLS/peer" --listen "0.0.0.0:$3" \
		>"$TMP/server-$3.log" 2>&1 &
	PIDS+=("$!")
	"$TOOLS/nsrun" --cgroup "$1" --net "$2" -- "$TOOLS/peer" --listen "127.0.0.1:1$3" \
		>"$TMP/beside-$3.log" 2>&1 &
	PIDS+=("$!")
	expect_soon 5 grep -q ready "$TMP/server-$3.log"
	expect_soon 5 grep -q ready "$TMP/beside-$3.log"
}

within() { # CGROUP: what a process there gets of an internal system
	call_read "$("$TOOLS/nsrun" --cgroup "$1" --net "$NS" -- "$TOOLS/agent" \
		--connect 127.0.0.1:3009 --timeout 1500 2>&1)"
	echo "$RESULT $ERR"
}

isolated_at() { # NAME CGROUP
	expect_eq "$(within "$2")" "ok -" "before"
	expect_ok sg quarantine "$1" --reason "test of $TEST"
	expect_match "$OUT" "*cgroup */${2##*/} isolated, 2 processes*"
	expect_eq "$(within "$2")" "error $UNREACHABLE" "isolated"
	expect_ok sg release "$1"
	expect_eq "$(within "$2")" "ok -" "released"
}

serve "$CG/$UNIT" "$NS" 3001
serve "$CG/docker-$CONTAINER.scope" "$NS_OTHER" 3002
serve "$CG/plain" "$NS" 3004
start_daemon

t "a unit by its name: all who are in it are the server's"
isolated_at unit "$CG/$UNIT"

t "a container by the socket that waits at its address, in its own namespace"
isolated_at container "$CG/docker-$CONTAINER.scope"

t "a container by how its id begins"
isolated_at named "$CG/docker-$CONTAINER.scope"

t "a cgroup by its path"
isolated_at cgroup "$CG/plain"

t "what is not there is said"
expect_ok sg quarantine none --reason "test of $TEST"
expect_match "$OUT" "*NOT isolated: there is no cgroup as*local*says*"
expect_server none isolation.state failed
expect_ok sg release none

finish
