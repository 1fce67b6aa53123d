# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Completion of switchgear(1) for bash: sourced, or installed as
# /usr/share/bash-completion/completions/switchgear.
# shellcheck shell=bash

_switchgear() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local global='--socket --pin-dir --state-dir --json --help --version'
	local command='' operands=0 i
	COMPREPLY=()

	case $previous in
	--socket | --pin-dir | --state-dir | --policy | --evidence | --output | --write | -w | --server-json)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--for | --since)
		mapfile -t COMPREPLY < <(compgen -W '90s 10m 2h 1d' -- "$word")
		return
		;;
	--reason | --seed | --key | --depth)
		return
		;;
	esac

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --pin-dir | --state-dir | --for | --since | --reason | --server | --policy | --seed | --key | --depth | --evidence | --output | --write | -w | --server-json) ((i++)) ;;
		-*) ;;
		*)
			if [[ -z $command ]]; then
				command=${COMP_WORDS[i]}
			else
				((operands++))
			fi
			;;
		esac
	done

	if [[ $previous == --server ]]; then
		_switchgear_servers "$word"
	elif [[ $word == -* ]]; then
		case $command in
		trip | force | bypass) global+=' --reason --for' ;;
		quarantine) global+=' --reason --for --freeze --force' ;;
		release | reset | approve) global+=' --reason' ;;
		history) global+=' --since' ;;
		select) global+=' --group --tool --server' ;;
		keys) global+=' --statements --output' ;;
		rate) global+=' --key --for --evidence --output' ;;
		vouch) global+=' --key --for --depth --evidence --output' ;;
		revoke) global+=' --key --evidence --output' ;;
		report) global+=' --format --server' ;;
		verify) global+=' --server-json --report' ;;
		capture) global+=' --follow --write' ;;
		events) global+=' --follow --since --server --calls' ;;
		simulate) global+=' --policy --seed --summary --blast' ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$global" -- "$word")
	elif [[ -z $command || ($command == help && $operands == 0) ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'status show explain why history select quarantine release trip reset
			force report approve verify keys rate vouch revoke events capture simulate bypass selftest metrics detach attach help' -- "$word")
	elif [[ $operands == 0 && ' show explain history verify quarantine release trip reset force rate approve capture ' == *" $command "* ]]; then
		_switchgear_servers "$word"
	elif [[ ($command == simulate || $command == report) && $operands == 0 ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	elif [[ $command == keys && $operands == 0 ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'new list anchor unanchor remove export import' -- "$word")
	elif [[ $command == keys && $operands == 1 && $previous == import ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	elif [[ $command == bypass && $operands == 0 ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$word")
	elif [[ $command == force && $operands == 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'closed shadow disabled' -- "$word")
	fi
}

# Names as the daemon tells them, quoted for the command line; none without a daemon.
_switchgear_servers() {
	local name
	while IFS= read -r name; do
		[[ $name == "$1"* ]] && COMPREPLY+=("$(printf '%q' "$name")")
	done < <(switchgear complete 2>/dev/null)
}

complete -F _switchgear switchgear
