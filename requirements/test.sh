#!/usr/bin/env bash
# make test-python: the tests of the library and of both services under other Pythons, beside each other.
# `test.sh install` only makes their environments.
# torch is pinned to Python 3.11's build: what compares with the reference engine is left out, and said to be.
set -euo pipefail

readonly what=${1:-test}
readonly pythons=${PYTHONS:-3.12 3.13}
readonly lock=requirements/test.lock

# `python3.12` on the PATH, which may be a shim of pyenv that starts nothing, or what pyenv has installed.
find_python() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2> /dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# An environment, made anew when the lock has changed. Where our sources are is said each time: the folder may be a copy.
install() {
    local venv=$1 python=$2
    if ! { cmp -s "$lock" "$venv/.installed" && "$venv/bin/python" -c 'import pip' 2> /dev/null; }; then
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r "$lock"
        cp "$lock" "$venv/.installed"
    fi
    printf '%s\n' "$PWD"/{libs/warmstart,libs/contract,services/api,services/worker}/src > \
        "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/warmstart.pth"
}

run() {
    local venv=.venv-$1 python=$2
    install "$venv" "$python"
    if [[ $what == install ]]; then return; fi
    HF_HUB_OFFLINE=1 "$venv/bin/python" -m pytest libs services -p no:cacheprovider ${TESTS:+-k "$TESTS"}
}

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
running=()  # version=pid
for version in $pythons; do
    if python=$(find_python "$version"); then
        (set -e; run "$version" "$python") > "$logs/$version" 2>&1 &
        running+=("$version=$!")
    else
        echo "Python $version was not found: its tests did not run."
        [[ -z "${REQUIRE_PYTHONS:-}" ]] || exit 1
    fi
done

failed=0
for each in "${running[@]}"; do
    version=${each%=*}
    if wait "${each#*=}"; then
        echo "==> Python $version"
        tail -n 4 "$logs/$version"
    else
        echo "==> Python $version: FAILED"
        cat "$logs/$version"
        failed=1
    fi
done
exit "$failed"
