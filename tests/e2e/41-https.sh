#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Servers behind TLS are asked by the daemon, too, with their certificate verified; who asks is
# a process that has no rights. nginx ends the TLS.
. "$(dirname "$0")/lib.sh"
. "$E2E_DIR/nginx.sh"
. "$E2E_DIR/tls.sh"

PORTS=(3441 3442 3443 3444 3445 3446)
NAMES=(good expired stranger elsewhere mutual plain)

authority
certificate good 127.0.0.1 -1day +2day
certificate expired 127.0.0.1 -9day -1day
certificate elsewhere 127.0.0.9 -1day +2day
certificate mutual 127.0.0.1 -1day +2day
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=stranger \
	-addext "subjectAltName=IP:127.0.0.1" -keyout "$TMP/stranger.key" \
	-out "$TMP/stranger.pem" 2>/dev/null

# --- the servers ----------------------------------------------------------------------------

{
	tls_server 3441 good
	tls_server 3442 expired
	tls_server 3443 stranger
	tls_server 3444 elsewhere
	tls_server 3445 mutual "ssl_client_certificate $TMP/ca.pem; ssl_verify_client on;"
	echo "server { listen 127.0.0.1:3446; return 200; }"
} | nginx_configure

all=
for i in "${!PORTS[@]}"; do
	all+="${all:+, }\"${NAMES[i]}\": { \"url\": \"https://127.0.0.1:${PORTS[i]}/mcp\",
		\"breaker\": { \"open_seconds\": 1, \"half_open_probes\": 1,
			\"half_open_max_seconds\": 60 } }"
done
config "$all" "\"ca_file\": \"$TMP/ca.pem\""

publish "$TOOLS/agent"
peer_start back 127.0.0.1:3001 --answer ok
start_daemon
for i in "${!PORTS[@]}"; do
	# by the word of two callers, so that nobody looks whether that is so
	agent --connect "127.0.0.1:${PORTS[i]}" --count 2 >/dev/null
	AGENT_AS=(--uid 65534)
	agent --connect "127.0.0.1:${PORTS[i]}" --count 1 >/dev/null
	AGENT_AS=()
	expect_match "$(sg events --since 60s --server "${NAMES[i]}")" "*closed -> open (consecutive*"
done
nginx_start 3441

last_events() { # NAME
	sg events --since 60s --server "$1"
}

t "a server behind TLS heals without any agent's call"
expect_server_soon good state closed 20
expect_match "$(last_events good)" "*half_open -> closed (probes_passed*"
expect_ne "$(peer_stat back requests)" 0

t "a certificate that has expired is a failure of the server"
failed_by_tls() { # NAME: it has been asked since nginx is there
	sg events --calls --json --since 60s --server "$1" >"$TMP/events"
	"$TOOLS/jget" --lines "$TMP/events" cause op=call | grep -qx tls
}
expect_soon 20 failed_by_tls expired
expect_match "$(last_events expired)" "*half_open -> open (half_open_failed*"

t "so is a server that does not speak TLS at all"
expect_soon 20 failed_by_tls plain

# The only probe is to be had: an agent gets through, though nginx wants no plain text there.
free() { # ADDR:PORT
	agent --connect "$1" | grep -q ' 400 '
}

t "whom this host does not know is not asked, and nothing is decided: it is said so"
for i in 2 3; do
	name=${NAMES[i]}
	expect_server_soon "$name" state half_open 20
	expect_soon 20 eval "sg status | grep -q 'server \"$name\": the daemon cannot ask it'"
	expect_server "$name" state half_open
	expect_soon 5 free "127.0.0.1:${PORTS[i]}"
done

t "who wants a certificate of ours has told nothing either"
expect_server_soon mutual state half_open 20
expect_match "$(last_events mutual)" "*open -> half_open (deadline*"
expect_soon 20 free 127.0.0.1:3445

t "who wants credentials is alive"
peer_ctl back answer 401
expect_ok sg trip good --for 1s --reason "to see it asked"
expect_server_soon good state closed 20

# --- who asks --------------------------------------------------------------------------------

worker() { # its pid, while a server keeps it waiting
	pgrep -P "$DAEMON" -f switchgear-worker | head -n 1
}

peer_ctl back answer hang
expect_ok sg trip good --for 1s --reason "to see it asked"
expect_soon 20 eval '[ -n "$(worker)" ]'
WORKER=$(worker)
expect_soon 20 eval '[ "$(awk "/^Seccomp:/ { print \$2 }" /proc/$WORKER/status)" = 2 ]'

t "the process that asks has a user of its own and no rights"
line() { # FIELD of its status
	awk -v f="$1:" '$1 == f { $1 = ""; sub(/^ /, ""); print }' "/proc/$WORKER/status"
}
expect_match "$(line Uid)" "[1-9]* [1-9]* [1-9]* [1-9]*"
expect_ne "$(line Uid)" "65534 65534 65534 65534" "its user"
expect_eq "$(line Groups)" "" "its groups"
for set in CapInh CapPrm CapEff CapAmb; do
	expect_match "$(line $set)" "0000000000000000"
done
expect_eq "$(line NoNewPrivs)" 1
expect_eq "$(line Name)" sg-worker
expect_eq "$(awk '/^Max core file size/ { print $5 }' "/proc/$WORKER/limits")" 0
expect_eq "$(awk '/^Max processes/ { print $3 }' "/proc/$WORKER/limits")" 0

t "of the daemon it has nothing but the line to it"
expect_eq "$(find "/proc/$WORKER/fd" -lname '*bpf*' | wc -l)" 0 "BPF descriptors"
expect_eq "$(tr '\0' '\n' <"/proc/$WORKER/environ" | grep -c .)" 2 "variables"

t "an ordinary user cannot touch it"
"$TOOLS/nsrun" --uid 65534 -- kill -9 "$WORKER" 2>/dev/null && fail "uid 65534 killed the worker"
pass
"$TOOLS/nsrun" --uid 65534 -- cat "/proc/$WORKER/environ" >/dev/null 2>&1 &&
	fail "uid 65534 looked into the worker"
pass
expect_ok kill -0 "$WORKER"

t "one that dies leaves no token behind, and another one goes on"
kill -9 "$WORKER"
expect_soon 20 eval '[ "$(worker)" != "$WORKER" ]'
peer_ctl back answer ok
expect_server_soon good state closed 30

t "it ends with its daemon, however that ends"
peer_ctl back answer hang
expect_ok sg trip good --for 1s --reason "to see it asked"
expect_soon 20 eval '[ -n "$(worker)" ]'
WORKER=$(worker)
kill9_daemon
expect_soon 5 eval '! kill -0 "$WORKER" 2>/dev/null'
peer_ctl back answer ok
start_daemon

t "a worker that cannot be had is said, and agents are the probes"
stop_daemon
SWITCHGEAR_WORKER=/nonexistent start_daemon
expect_ok sg trip good --for 1s --reason "to see it asked"
expect_server_soon good state half_open 20
expect_soon 20 eval "sg status | grep -q 'cannot ask it: /nonexistent'"
expect_soon 20 free 127.0.0.1:3441

t "certificates that cannot be read are named, and nothing is trusted"
stop_daemon
echo "no certificate" >"$TMP/broken.pem"
config "$all" "\"ca_file\": \"$TMP/gone.pem\""
start_daemon
expect_ok sg trip good --for 1s --reason "to see it asked"
expect_soon 20 eval 'grep -q "certificates cannot be read from $TMP/gone.pem" "$LOG"'
expect_server_soon good state half_open 20

finish
