# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the scripts of this directory share; it is sourced by them.
# shellcheck disable=SC2034 # they use the variables

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD:-$root/build}
# Downloads outlive `make clean`.
cache=${KERNELS_CACHE:-${XDG_CACHE_HOME:-${HOME:-$root/build}/.cache}/switchgear-kernels}

die() {
	echo "kernels: $*" >&2
	exit 1
}

# The rows of kernels.conf: ID SUITE PACKAGE NEEDED PROCESSORS TESTS; all, or those named.
kernels() { # [ID...]
	local id rest

	while read -r id rest; do
		case $id in
		'' | '#'*) continue ;;
		esac
		[ $# -eq 0 ] || [[ " $* " == *" $id "* ]] || continue
		echo "$id $rest"
	done <"${KERNELS_CONF:-$here/kernels.conf}"
}

# What `expected` says of a kernel, without the first two columns.
expected() { # ID KIND
	local kernels kind text

	while IFS='|' read -r kernels kind text; do
		[[ " $kernels " == *" $1 "* || $kernels == '* ' ]] && [ "${kind// /}" = "$2" ] &&
			echo "${text# }"
	done < <(grep -v '^#' "${KERNELS_EXPECTED:-$here/expected}")
	return 0
}
