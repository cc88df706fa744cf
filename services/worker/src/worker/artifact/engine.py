"""The engine that runs one variant of an artifact."""

from pathlib import Path

from worker.artifact.manifest import Manifest, Variant
from worker.engines.base import Engine


def engine_of(folder: Path, manifest: Manifest, variant: Variant, threads: int) -> Engine:
    """Load it. Raises what its library raises, or Fatal when files are missing or altered."""
    manifest.verify(folder, variant)
    if variant.engine == "onnx":
        from worker.engines.onnx import OnnxEngine  # noqa: PLC0415 - numpy is loaded beside the web framework

        return OnnxEngine(folder, manifest, variant, threads)
    from worker.engines.openvino import OpenVinoEngine  # noqa: PLC0415

    return OpenVinoEngine(folder, manifest, variant, threads)
