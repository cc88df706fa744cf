#!/usr/bin/env bash
# A Docker engine that answers. Asks the engine, never the binary: a client without an engine is common.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ./host.sh

readonly log=/var/log/dockerd.log
readonly seconds=60

answers() { timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

start() {
    # A pid file left by an engine that was killed names a process of something else by now, and dockerd would refuse to start.
    pidof -q dockerd containerd || rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
    setsid dockerd >>"$log" 2>&1 </dev/null &
}

wait_until_it_answers() {
    local end=$((SECONDS + seconds))
    until answers; do
        ((SECONDS < end)) || fail "no answer $seconds s after dockerd was started; the end of $log:"$'\n'"$(tail -n 20 "$log")"
        sleep 0.2
    done
}

if answers; then
    say "an engine answers"
    exit
fi
((EUID == 0)) || fail "no Docker engine answers, and only root can start one"
need dockerd docker.io
answers || start  # where a service manager runs, installing the engine has started it
wait_until_it_answers
say "dockerd started, log in $log"
