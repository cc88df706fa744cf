#!/usr/bin/env bash
# make audit: known vulnerabilities of the locked packages that serve. Exit status 1: some were found; 2: PyPI, which
# knows them, could not be asked, so nothing is known.
set -uo pipefail

if said=$(.venv-tools/bin/python -m pip_audit --strict --disable-pip --require-hashes -r requirements/run.lock 2>&1); then
    echo "$said"
    exit
fi
echo "$said" | tail -n 30 >&2
# Strict: without it, a package that PyPI's service doesn't answer for passes.
if [[ $said == *"could not be audited"* || $said == *ConnectionError* ]]; then
    echo "make audit: PyPI's vulnerability service could not be asked. Nothing is known: run it where pypi.org can be reached." >&2
    exit 2
fi
echo "make audit: the packages above have known vulnerabilities." >&2
exit 1
