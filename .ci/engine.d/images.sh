#!/usr/bin/env bash
# The public images that compose.yaml and the Dockerfiles name. One that cannot be pulled is built from Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ./host.sh

readonly mark=warmstart.stand-in

exists() { docker image inspect "$1" >/dev/null 2>&1; }
is_stand_in() { [[ -n $(docker image inspect --format "{{index .Config.Labels \"$mark\"}}" "$1") ]]; }

# debian SUITE: debian:SUITE-slim, which trusts the certificates that this host trusts.
debian() {
    local name=debian:$1-slim id
    exists "$name" && return
    need mmdebstrap mmdebstrap
    say "building $name"
    id=$(rootfs minbase "$1" ca-certificates \
        --customize-hook='copy-in /usr/local/share/ca-certificates /usr/local/share' \
        --customize-hook='chroot "$1" update-ca-certificates >/dev/null 2>&1' |
        docker import --change "LABEL $mark=1" --change 'CMD ["bash"]' -)
    docker tag "$id" "$name"  # only now: an import of half a system has no name to be found by
}

# image NAME SUITE FOLDER: there, pulled, or built. A stand-in is built every time, from the cache if nothing changed.
image() {
    if ! exists "$1" && timeout 300 docker pull --quiet "$1" >/dev/null 2>&1; then
        say "$1 pulled"
    elif exists "$1" && ! is_stand_in "$1"; then
        say "$1 is there"
    else
        debian "$2"
        quietly docker build --network host --tag "$1" "../images/$3"
        say "$1 is a stand-in of Debian packages, $(docker image inspect --format '{{.Size}}' "$1" | numfmt --to=si)B"
    fi
}

image python:3.11-slim-bookworm bookworm python
image pgvector/pgvector:pg17 trixie pgvector
image valkey/valkey:8 trixie valkey
image haproxy:3.2 testing haproxy
