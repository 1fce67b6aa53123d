# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# An authority of the test's own, what it signs, and servers behind nginx that use it. Sourced
# after nginx.sh.

authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=Test authority" -keyout "$TMP/ca.key" -out "$TMP/ca.pem" 2>/dev/null
	mkdir "$TMP/ca"
	: >"$TMP/ca/index"
	cat >"$TMP/ca/conf" <<-END
		[ca]
		default_ca = it
		[it]
		database = $TMP/ca/index
		new_certs_dir = $TMP/ca
		certificate = $TMP/ca.pem
		private_key = $TMP/ca.key
		default_md = sha256
		rand_serial = yes
		policy = any
		copy_extensions = copy
		unique_subject = no
		[any]
		commonName = supplied
	END
}

certificate() { # NAME IP FIRST-DAY LAST-DAY
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-addext "subjectAltName=IP:$2" -keyout "$TMP/$1.key" -out "$TMP/$1.csr" 2>/dev/null
	openssl ca -batch -notext -config "$TMP/ca/conf" -in "$TMP/$1.csr" -out "$TMP/$1.pem" \
		-startdate "$(date -u -d "$3" +%y%m%d%H%M%SZ)" \
		-enddate "$(date -u -d "$4" +%y%m%d%H%M%SZ)" 2>"$TMP/openssl.log" ||
		fail "openssl: $(cat "$TMP/openssl.log")"
}

# Of a server that stands in front of the peer on port 3001.
tls_server() { # PORT NAME [LINE]
	echo "server { listen 127.0.0.1:$1 ssl; ssl_certificate $TMP/$2.pem;
		ssl_certificate_key $TMP/$2.key; ${3:-}
		location / { proxy_pass http://127.0.0.1:3001; proxy_buffering off; } }"
}
