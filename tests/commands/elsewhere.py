"""Blocks that don't run here: how each begins, and why not, with the test that comes nearest."""

CLUSTER = "needs a cluster; k8s/tests hold the manifests"
ENGINE = "needs a container engine; tests/containers run these images and files"
HUB = "fetches a model from the hub; tests/e2e/test_other_models.py makes a small one and serves it"
FOREGROUND = "a server in the foreground, or a client of it in another terminal; tests/examples run every step"
MINUTES = "takes minutes"
ACCOUNT = "needs an account; deploy/tests hold the manifests, and fill them in"

ELSEWHERE = {
    ("docs/benchmarks.md", "make bench"): f"{MINUTES}; loadtest/tests run the bench on small parts",
    ("docs/containers.md", "printf 'POSTGRES_PASSWORD="): ENGINE,
    ("docs/containers.md", "docker run"): ENGINE,
    ("docs/containers.md", "image=ghcr.io"): "needs a registry with a release",
    ("docs/drills.md", "make drills"): f"{MINUTES}; tests/test_drills.py runs a selection",
    ("docs/engines.md", "make artifact"): "exports a model, 15 s; services/worker/tests export and compare",
    ("docs/guide.md", "pip install"): "installs into the reader's environment; `make wheel` and tests/examples",
    ("docs/guide.md", "uvicorn"): FOREGROUND,
    ("docs/guide.md", "curl"): FOREGROUND,
    ("docs/guide.md", "gunicorn"): FOREGROUND,
    ("docs/guide.md", "LOAD_SECONDS=20 gunicorn"): FOREGROUND,
    ("docs/guide.md", "WEB_CONCURRENCY=3 gunicorn"): FOREGROUND,
    ("docs/kubernetes.md", "kubectl"): CLUSTER,
    ("docs/kubernetes.md", "make artifact EMBEDDING_MODEL=BAAI"): HUB,
    ("docs/models.md", "make artifact EMBEDDING_MODEL=BAAI"): HUB,
    ("docs/models.md", "make artifact PRECISION=int8"): f"{MINUTES}; services/worker/tests quantize a small model",
    ("docs/models.md", "make reindex MODEL=BAAI"): f"{HUB}; tests/e2e replace one by another",
    ("docs/models.md", "kubectl"): CLUSTER,
    ("docs/platforms.md", "cd deploy/azure-container-apps"): ACCOUNT,
    ("docs/platforms.md", "cd deploy/cloud-run"): ACCOUNT,
    ("docs/observability.md", "docker compose --profile"): f"{ENGINE}; tests/e2e/test_metrics.py has a Prometheus",
}
# Lines shown of a block that runs, which only a first run prints: the environment is there already.
FIRST_TIME = ("==> ",)
