#!/usr/bin/env bash
# The public image's conventions: options alone mean valkey-server, which never runs as root.
set -euo pipefail

if [[ $1 == -* || $1 == *.conf ]]; then
    set -- valkey-server "$@"
fi
[[ $1 == valkey-server ]] || exec "$@"

if [[ $(id -u) == 0 ]]; then
    find . ! -user valkey -exec chown valkey: {} +
    exec setpriv --reuid=valkey --regid=valkey --clear-groups "$0" "$@"
fi

umask 0077
# The public image is compiled with protected mode off. A configuration file must stay the first argument.
case ${2:-} in
    -v | --version | -h | --help) exec "$@" ;;
    *.conf) exec "$1" "$2" --protected-mode no "${@:3}" ;;
    *) exec "$1" --protected-mode no "${@:2}" ;;
esac
