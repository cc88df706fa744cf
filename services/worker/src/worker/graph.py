"""`python -m worker.graph`: makes again, with torch, what the repository ships of a known model (`make graph`)."""

import sys
import tempfile
from pathlib import Path

from warmstart.settings.service import load
from worker.artifact.reference import from_model
from worker.artifact.shipped import ship
from worker.model_files import locate, verified
from worker.settings import WorkerSettings


def main() -> int:
    """Returns 0; raises the error of any step."""
    settings = load(WorkerSettings)
    model = locate(settings.embedding_model)
    verified(model)
    with tempfile.TemporaryDirectory() as scratch:
        folder = ship(model, from_model(model, settings.threads), Path(scratch, "model.onnx"))
    sys.stdout.write(f"wrote {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
