#!/usr/bin/env bash
# Compose and buildx for the docker client. Debian has current ones in testing only; they need nothing but libc.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ./host.sh

readonly plugins=/usr/local/lib/docker/cli-plugins

if docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; then
    say "compose and buildx are there"
    exit
fi
need mmdebstrap mmdebstrap
mkdir -p "$plugins"
rootfs extract testing docker-compose,docker-buildx |
    tar --extract --directory "$plugins" --strip-components=5 ./usr/libexec/docker/cli-plugins
say "installed $(docker compose version), buildx $(docker buildx version)"
