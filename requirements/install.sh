#!/usr/bin/env bash
# make install: .venv from the locks. It ends with a stamp or, if a new .venv could not be finished, with no .venv.
set -euo pipefail

readonly venv=.venv
readonly stamp=$venv/.installed
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

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [[ -n "${PYTHON:-}" ]]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python of 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    local candidate
    for candidate in python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 not found (tried python3.11 and python3); name one with make PYTHON=/path/to/python3.11"
}

# One line a package instead of pip's four; errors go to stderr as they are.
pip_install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off --no-deps "$@" |
        awk '/^ *(Collecting|Processing|Obtaining) / {sub(".*/", "", $2); print "  " $2; fflush()}'
}

remove_unfinished() { [[ -f $stamp ]] || rm -rf "$venv"; }

if [[ ! -f $stamp ]] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    python=$(find_python)
    rm -rf "$venv"
    trap remove_unfinished EXIT
    say "1/4 $venv with $("$python" --version)"
    "$python" -m venv "$venv" || fail "$python cannot make a virtual environment (on Debian: apt install python3-venv)"
else
    say "1/4 $venv is there"
fi

say "2/4 $(grep -c '^[a-z0-9]' requirements/dev.lock) locked packages, each checked by its hash"
pip_install --require-hashes -r requirements/dev.lock ||
    fail "a locked package could not be installed: pip's error above names it"

say "3/4 torch, CPU build"
pip_install -r requirements/torch.txt 2>/dev/null ||
    pip_install --index-url "$TORCH_INDEX" -r requirements/torch.txt ||
    fail "torch (requirements/torch.txt) was found neither where pip looks by default nor at TORCH_INDEX=$TORCH_INDEX"

say "4/4 this repository's packages"
for package in "${packages[@]}"; do
    pip_install --no-build-isolation --editable "$package" || fail "$package could not be installed"
done
"$venv/bin/python" -m pip check --disable-pip-version-check || fail "the locked packages do not fit together"
touch "$stamp"
