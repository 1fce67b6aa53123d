# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A real nginx in the namespace of the test. Sourced after lib.sh, by tests of hosts that have
# one (`make deps`).

PATH=$PATH:$BUILD/deps
command -v nginx >/dev/null || {
	fail "no nginx; run: make deps"
	finish
}

# Writes its configuration: what is said in `http`, from standard input.
nginx_configure() {
	local what

	{
		echo "user root; worker_processes 1; daemon off; pid $TMP/nginx.pid; error_log stderr;"
		echo "events { worker_connections 128; }"
		echo "http { access_log off;"
		for what in client_body proxy fastcgi uwsgi scgi; do
			echo "${what}_temp_path $TMP/nginx-$what;"
		done
		cat
		echo "}"
	} >"$TMP/nginx.conf"
}

# Its pid comes in NGINX.
nginx_start() { # PORT that it listens on, on 127.0.0.1
	"$TOOLS/nsrun" --net "$NS" -- nginx -e stderr -c "$TMP/nginx.conf" >"$TMP/nginx.log" 2>&1 &
	NGINX=$!
	PIDS+=("$NGINX")
	wait_for 15 nginx_listens "$1" || fail "nginx does not listen: $(cat "$TMP/nginx.log")"
}

nginx_listens() { # PORT
	"$TOOLS/nsrun" --net "$NS" -- bash -c "exec 9<>/dev/tcp/127.0.0.1/$1" 2>/dev/null
}
