# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Downloading Debian's packages by apt with lists and state of its own, so that it
# needs no root and changes nothing of the machine's. The mirror is the one of the
# machine's own sources, else $DEBIAN_MIRROR (which has "debian" and
# "debian-security" below it). Sourced after lib.sh.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

mirror() { # SUITE
	local part=debian found

	case $1 in
	*-security) part=debian-security ;;
	esac
	found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{sources,list} 2>/dev/null |
		grep -v '^ *#' | grep -oE "https?://[^ ]*/$part/?( |\$)" | head -n 1 | tr -d ' ')
	[ -n "$found" ] || found=${DEBIAN_MIRROR:+$DEBIAN_MIRROR/$part}
	[ -n "$found" ] && echo "$found"
}

# apt-get and apt-cache with everything of theirs below one directory.
apt_in() { # DIR TOOL ARGUMENT...
	local dir=$1 tool=$2

	shift 2
	"$tool" -qq -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o "Dir::State=$dir" -o "Dir::State::Lists=$dir/lists" -o "Dir::State::status=$dir/status" \
		-o "Dir::Cache=$dir/cache" -o Acquire::Languages=none -o Acquire::Retries=3 \
		-o "APT::Sandbox::User=$(id -un)" -o APT::Architecture=amd64 \
		-o APT::Architectures=amd64 "$@"
}

# Lists of one suite and, for what that does not have, of others.
apt_open() { # SUITE DIR [SUITE...]
	local dir=$2 suite uri

	[ -r "$keyring" ] || { echo "no $keyring: install debian-archive-keyring"; return 1; }
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" || return 1
	: >"$dir/status"
	: >"$dir/sources.list"
	for suite in "$1" "${@:3}"; do
		uri=$(mirror "$suite") || {
			echo 'no Debian mirror in the apt sources: set DEBIAN_MIRROR'
			return 1
		}
		echo "deb [signed-by=$keyring] $uri $suite main" >>"$dir/sources.list"
	done
	apt_in "$dir" apt-get update
}
