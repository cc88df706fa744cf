#!/usr/bin/env bash
# A kind cluster with the images in its node, and k8s/ applied. Nothing is pulled inside: images are IfNotPresent.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly cluster=warmstart
readonly stores=(pgvector/pgvector:pg17 valkey/valkey:8)
readonly services=(warmstart-api:0.1.0 warmstart-worker:0.1.0)

for command in docker kind kubectl; do
    command -v "$command" >/dev/null || { echo "make kind needs $command" >&2; exit 1; }
done

kind get clusters | grep -qx "$cluster" || kind create cluster --name "$cluster"
# The target that the manifests name: it has no torch, so that neither its index nor its wheel is needed.
WORKER_TARGET='' .venv/bin/python -m stack images
for image in "${stores[@]}"; do
    docker image inspect "$image" >/dev/null 2>&1 || docker pull "$image"
done
kind load docker-image --name "$cluster" "${services[@]}" "${stores[@]}"

kubectl config use-context "kind-$cluster"
KUBE_CONTEXT=kind-$cluster make --no-print-directory k8s-up
