# shellcheck shell=bash
# Completion for bash. The programs themselves are asked what they take, so nothing can be missing.

# What --help names, and with --check every setting there is.
_fanlight_options()
{
	"$1" --help | grep -oE -- '(^|[ ,])--?[a-zA-Z][a-z0-9-]*' | tr -d ' ,'
	"$1" --config /dev/null --source pattern --check 2>/dev/null | sed -n 's/^\([a-z]\S*\) =.*/--\1/p'
}

# The words of a choice, of which a refusal reads: ...; use one, another or a third
_fanlight_choices()
{
	"$1" "$2" "" --check 2>&1 | sed -n 's/^--.*; use //; s/,/ /g; s/ or / /p'
}

_fanlight()
{
	local words

	case $3 in
	--chroma | --cleartext-logins | --log-level) words=$(_fanlight_choices "$1" "$3") ;;
	--source) words="auto pattern $(compgen -G '/dev/video*') $(compgen -G '/dev/v4l/by-id/*')" ;;
	*)
		[[ $2 == -* ]] || return # which leaves it to bash: names of files
		words=$(_fanlight_options "$1")
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2")
}

complete -o default -F _fanlight fanlight fanlight-probe
