#!/usr/bin/env bash
# A kind cluster with the services' images in its node, and k8s/ applied. The node pulls what it lacks of the stores' images.
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
kind load docker-image --name "$cluster" "${services[@]}"
# A store's image that is here spares the node a pull, and may be here only. kind can't load one of several platforms out of
# containerd's image store, Docker's default since 29 (kubernetes-sigs/kind#3795).
for image in "${stores[@]}"; do
    if docker image inspect "$image" >/dev/null 2>&1; then
        kind load docker-image --name "$cluster" "$image" || echo "kind can't load $image: the node pulls it" >&2
    fi
done

kubectl config use-context "kind-$cluster"
KUBE_CONTEXT=kind-$cluster make --no-print-directory k8s-up
