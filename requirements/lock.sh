#!/usr/bin/env bash
# make lock: pins every dependency, by hash, for every platform. Without UPGRADE, pins that still fit stay.
set -euo pipefail

readonly uv=.venv/bin/uv
readonly kit=libs/warmstart/pyproject.toml contract=libs/contract/pyproject.toml
readonly api=services/api/pyproject.toml worker=services/worker/pyproject.toml

# The header of a lock shows this instead of the real command, which may name folders of this machine.
export UV_CUSTOM_COMPILE_COMMAND="make lock"
# uv must read the metadata of the CPU build, which PyPI doesn't have: from here, or wherever the caller says.
export UV_FIND_LINKS="${UV_FIND_LINKS:-$TORCH_INDEX/torch/}"

compile() {
    local lock=$1
    shift
    echo "==> $lock"
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes ${UPGRADE:+--upgrade} \
        --override requirements/torch.txt --no-emit-package torch --no-emit-package warmstart --no-emit-package warmstart-contract \
        --output-file "$lock" "$@" && return
    echo "make lock: $lock was not written: see uv's error above." >&2
    echo "The CPU build of torch was looked for at $UV_FIND_LINKS;" >&2
    echo "TORCH_INDEX=URL names another index, UV_FIND_LINKS=FOLDER a folder that holds its wheel." >&2
    exit 1
}

# All extras but int8: nncf would keep numpy and networkx at older versions for every Python.
compile requirements/dev.lock --group dev "$kit" "$contract" "$api" "$worker" \
    --extra docs --extra export --extra gunicorn --extra predictor --extra traces --extra azure --extra aws --extra gcp
if grep -niE '^(nvidia|cuda|triton|torch)' requirements/dev.lock; then
    echo "make lock: the packages above belong to a CUDA build of torch; see requirements/torch.txt" >&2
    exit 1
fi
# What make up installs, and what the tests of library and services need under other Pythons: no torch.
light=(--constraint requirements/dev.lock --override requirements/without-torch.txt)
compile requirements/run.lock "${light[@]}" --group run "$kit" "$contract" "$api" "$worker" \
    --extra onnx --extra openvino --extra model
compile requirements/test.lock "${light[@]}" --group test "$kit" "$contract" "$api" "$worker" \
    --extra onnx --extra openvino --extra model --extra predictor --extra azure
# What quantizes an artifact, besides what make up installs: no torch.
compile requirements/int8.lock "${light[@]}" "$worker" --extra openvino --extra model --extra int8
# What an estimator needs, besides what make up installs.
compile requirements/predictor.lock "${light[@]}" "$worker" --extra openvino --extra predictor
# A peer that the bench measures, in an environment of its own.
compile loadtest/bench/infinity.lock loadtest/bench/infinity.in
# Clients of the api, in an environment that their tests make.
compile tests/clients/clients.lock tests/clients/clients.in
# make workflows, sbom, audit and wheel.
compile requirements/tools.lock requirements/tools.in
compile requirements/api.lock --constraint requirements/dev.lock "$api"
# What an image has besides, where SECRETS_FROM names a vault of that cloud.
for cloud in azure aws gcp; do
    compile "requirements/vault-$cloud.lock" --constraint requirements/dev.lock "$kit" --extra "$cloud"
done
# The worker's image has one engine; what makes its artifact stays in a stage of the build. The one with torch has all.
compile requirements/worker.lock --constraint requirements/dev.lock "$worker" --extra openvino
compile requirements/worker-predictor.lock --constraint requirements/dev.lock "$worker" --extra openvino --extra predictor
compile requirements/worker-export.lock "${light[@]}" "$worker" --extra onnx --extra openvino --extra model
compile requirements/worker-torch.lock --constraint requirements/dev.lock "$worker" --extra export --extra predictor
