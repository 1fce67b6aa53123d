#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Who a caller is: the cgroup at the second level, whoever runs there and whatever he makes
# below; only where the protected cgroup is that deep itself, the user. However many fail,
# those that are served keep the server open for all, until it fails them as well.
. "$(dirname "$0")/lib.sh"
# The kernel counts levels from the root of the hierarchy, which alone has no cgroup.events.
[ ! -e "$CG_ROOT/cgroup.events" ] ||
	skip "$CG_ROOT is not the root of the cgroups: none of the second level can be made"

SERVERS=(users two one1 one3 one16 alone1 alone3 alone16 his hisalone all probes deep)
PORT=3100
OPEN_S=$((2 * SLOW)) # time enough to kill the daemon before its own probe
declare -A AT
servers=
for name in "${SERVERS[@]}"; do
	PORT=$((PORT + 1))
	AT[$name]=127.0.0.1:$PORT
	servers+="${servers:+, }\"$name\": { \"url\": \"http://${AT[$name]}/mcp\",
		\"deny_errno\": \"EHOSTUNREACH\", \"breaker\": { \"abandon_seconds\": 0.5"
	case $name in
	alone*) servers+=', "open_seconds": 2' ;;
	probes) servers+=", \"open_seconds\": $OPEN_S, \"half_open_probes\": 4" ;;
	esac
	servers+=' } }'
	peer_start "$name" "${AT[$name]}"
done
BREAKER+=',"blast_share":1' # that many open here is no sign of a fault of this host
config "$servers"
publish "$TOOLS/agent"
start_daemon

# What is run as a part of the test in a cgroup of the second level: at CGROUP COMMAND...
at() {
	local CG=$CG/$1

	[ -d "$CG" ] || mkdir "$CG"
	"${@:2}"
}

as_nobody() { # COMMAND...
	local AGENT_AS=(--uid 65534)

	"$@"
}

served() { # CGROUP SERVER
	at "$1" expect_answer "${AT[$2]}" 200
}

# So many answers of 503 in a cgroup, of a server that answers everybody else.
fails() { # CGROUP SERVER TIMES
	at "$1" agent --connect "${AT[$2]}" --path /as/503 --count "$3" >/dev/null
}

# He gives up so often, when the server should have answered: it is his word alone.
gives_up() { # CGROUP SERVER TIMES
	at "$1" agent --connect "${AT[$2]}" --path /as/hang --timeout 700 --count "$3" >/dev/null
}

# The same at once in the cgroups fFIRST to fLAST: together COMMAND SERVER TIMES FIRST LAST
together() {
	local pids=() k

	for ((k = $4; k <= $5; k++)); do
		"$1" "f$k" "$2" "$3" &
		pids+=("$!")
	done
	wait "${pids[@]}"
}

streak() { # SERVER
	server "$1" breaker.consecutive_failures
}

said() { # SERVER PATTERN: how many of its events have that
	sg events --since 600s --server "$1" | grep -c -- "$2"
}

t "of a cgroup of the second level all users are one caller"
served a users
as_nobody fails a users 3
expect_server users state open

t "of two of them one user is two callers, and who is served speaks for the server"
served a two
fails b two 5
expect_server two state closed
expect_eq "$(streak two)" 5 "failures in a row"
expect_match "$(sg events --since 600s --server two)" "*one_client*cgroup 0x*"
as_nobody fails a two 1
expect_server two state open

for n in 1 3 16; do
	t "cgroups that fail while another one is served open nothing: $n"
	for ((k = 1; k <= n; k += 4)); do
		served good "one$n"
		together fails "one$n" 3 $k $((k + 3 < n ? k + 3 : n))
		expect_server "one$n" state closed
		expect_within "$(streak "one$n")" 3 12 "failures in a row"
	done
	served good "one$n"
	expect_eq "$(streak "one$n")" 0 "failures in a row"
done

t "where nobody else calls, what one of them alone saw is checked, and taken back"
gives_up f1 alone1 3
expect_soon 5 eval '[ "$(said alone1 "closed -> open (consecutive")" -eq 1 ]'
expect_soon 5 eval '[ "$(said alone1 "open -> closed (reachable")" -eq 1 ]'
expect_match "$(sg events --since 600s --server alone1)" "*alarm*one caller*"

for n in 3 16; do
	t "where nobody else calls, $n of them open it until the server answers the daemon"
	together gives_up "alone$n" 1 1 "$n"
	expect_soon 5 eval '[ "$(said "alone$n" "closed -> open (consecutive")" -eq 1 ]'
	expect_soon 10 eval '[ "$(server "alone$n" state)" = closed ]'
	expect_eq "$(said "alone$n" reachable)" 0 "checks of one caller's word"
	expect_eq "$(said "alone$n" "half_open -> closed")" 1 "probes that closed it"
done

# --- an ordinary user with a cgroup of his own, and all that he makes below ---------------

mkdir "$CG/his"
chown 65534 "$CG/his" "$CG/his/cgroup.procs" "$CG/his/cgroup.subtree_control"

# As himself, from a shell in his cgroup: $1 is his cgroup.
himself() { # SCRIPT [ARGUMENT...]
	"$TOOLS/nsrun" --cgroup "$CG/his" --net "$NS" --uid 65534 -- sh -c "$1" sh "$CG/his" "${@:2}"
}

# From each of 16 cgroups that he makes himself he calls at the same moment.
in_his_sixteen() { # OPTION-OF-AGENT...
	himself 'his=$1 agent=$2; shift 2
		for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
			mkdir -p "$his/own$k" || exit 1
			(echo 0 >"$his/own$k/cgroup.procs" && exec "$agent" "$@") &
		done
		wait' "$PUBLIC/agent" "$@"
}

t "an ordinary user gets no other cgroup of the second level"
mkdir -p "$CG/a"
for there in "$CG/beside" "$CG/a/below"; do
	expect_refused himself 'mkdir "$2"' "$there"
	expect_match "$OUT" "*ermission denied*"
done
expect_refused himself 'echo 0 >"$2/cgroup.procs"' "$CG/a"
expect_refused himself 'echo 0 >"$2/cgroup.procs"' "$CG"
expect_ok himself 'mkdir "$1/own1" && echo 0 >"$1/own1/cgroup.procs" && cat /proc/self/cgroup'
expect_match "$OUT" "*/his/own1*" "the cgroup that he made himself"

t "16 cgroups that he makes below his own open nothing while others are served"
served good his
in_his_sixteen --connect "${AT[his]}" --path /as/503 --count 2 >"$TMP/out"
expect_eq "$(grep -c ' ok - 503 ' "$TMP/out")" 32 "his failures"
expect_server his state closed
expect_within "$(streak his)" 3 32 "failures in a row"
expect_match "$(sg events --since 600s --server his)" "*one_client*cgroup 0x*"

t "and where nobody else calls they are one caller's word"
in_his_sixteen --connect "${AT[hisalone]}" --path /as/hang --timeout 700 >"$TMP/out"
expect_eq "$(grep -c ' timeout ' "$TMP/out")" 16 "what he gave up"
expect_soon 5 eval '[ "$(said hisalone "open -> closed (reachable")" -ge 1 ]'
expect_server_soon hisalone state closed
expect_match "$(sg events --since 600s --server hisalone)" "*alarm*one caller*"

t "when all others fail as well it opens, at the last of them"
for k in f1 f2 f3; do
	served $k all
done
in_his_sixteen --connect "${AT[all]}" --path /as/503 --count 1 >/dev/null
together fails all 1 1 2
expect_server all state closed
fails f3 all 1
expect_server all state open

t "they hold one probe together while others ask, who get theirs"
fails a probes 3
half_open=$(($(now_ms) + OPEN_S * 1000))
expect_server probes state open
kill9_daemon # else the first probe is its own
daemon_forgotten
until_ms $half_open
before=$(peer_stat probes requests)
held() { # HOW-MANY
	[ "$(peer_stat probes requests)" -eq $((before + $1)) ]
}
LONG=/as/ok+delay=$((8000 * SLOW)) # while it lasts, a probe is held
himself 'exec "$2" --connect "$3" --path "$4" --timeout 600000' "$PUBLIC/agent" "${AT[probes]}" \
	$LONG >"$TMP/his" &
PIDS+=("$!") HELD=("$!")
expect_soon 10 held 1
at c agent --connect "${AT[probes]}" --path $LONG --timeout 600000 >"$TMP/other" &
PIDS+=("$!") HELD+=("$!")
expect_soon 10 held 2
at c agent --connect "${AT[probes]}" --count 100 --interval 100 >"$TMP/asks" & # goes on asking
PIDS+=("$!")
expect_soon 10 grep -q " $DENIED " "$TMP/asks"
in_his_sixteen --connect "${AT[probes]}" --timeout 3000 >"$TMP/out"
expect_eq "$(cut -d ' ' -f 2,3 "$TMP/out" | sort | uniq -c | sed 's/^ *//')" "16 error $DENIED"
served d probes
wait "${HELD[@]}"
expect_match "$(cat "$TMP/his" "$TMP/other")" "*ok - 200*ok - 200*" "those that held one"
start_daemon

t "below a protected cgroup of the second level the users are the callers"
expect_ok sg detach
wait_for 5 eval '! daemon_alive'
mkdir -p "$CG/a/x" "$CG/a/y"
start_daemon --attach --cgroup "$CG/a"
served a/x deep
as_nobody served a/y deep
as_nobody fails a/x deep 5
expect_server deep state closed
expect_match "$(sg events --since 600s --server deep)" "*one_client*uid 65534*"
fails a/y deep 1
expect_server deep state open

finish
