# shellcheck shell=bash
# Sourced by the steps: what they say, and how they use this host's package manager.

say() { printf 'engine: %s\n' "$*"; }
fail() {
    say "$*" >&2
    exit 1
}

# Runs a command without its chatter; the end of it is shown when it fails.
quietly() {
    local output
    output=$("$@" 2>&1) || fail "'$*' failed:"$'\n'"$(tail -n 30 <<<"$output")"
}

# need COMMAND PACKAGE...: installs the packages when the command is missing.
need() {
    command -v "$1" >/dev/null && return
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        fail "$1 is missing: install ${*:2} (done for you as root on Debian)"
    fi
    say "installing ${*:2}"
    quietly apt-get update
    DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends "${@:2}"
}

# The mirror that this host's own apt uses, so that no host name is written here.
mirror() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' "Codename: $codename" | head -n 1
}

# rootfs VARIANT SUITE PACKAGES [OPTION...]: a tar of Debian packages on standard output, fetched as this host's apt would.
rootfs() {
    local uri
    uri=$(mirror)
    [[ -n $uri ]] || { quietly apt-get update && uri=$(mirror); }
    [[ -n $uri ]] || fail "apt knows no Debian mirror on this host"
    mmdebstrap --quiet --variant="$1" --include="$3" "${@:4}" \
        --aptopt=<(apt-config dump Acquire::http Acquire::https Acquire::Check-Valid-Until Acquire::Check-Date) \
        "$2" - "$uri"
}
