"""OpenVINO's graph, compiled once: by the export for its own kind of machine, elsewhere by each start.

Reading a compiled graph takes 0.07 s, compiling it 0.25, with the same vectors (all-MiniLM-L6-v2, 2 cores of a Zen 4).
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from worker.artifact.engine import has_bf16
from worker.artifact.loading import core
from worker.artifact.manifest import Compiled, Precision, Variant

# openvino does without its converter of other frameworks' models where that is not installed. The converter and its
# telemetry are half of the import: 0.28 s with them, 0.13 without (2 cores).
sys.modules.setdefault("openvino.tools", None)  # type: ignore[arg-type]
import openvino  # noqa: E402 - after that line

if sys.modules["openvino.tools"] is None:
    del sys.modules["openvino.tools"]

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
TOLD = ("model name", "flags", "Features")  # of /proc/cpuinfo; the last is what ARM calls its flags


def load_graph(folder: Path, variant: Variant, threads: int) -> openvino.CompiledModel:
    """Read the compiled graph if it was compiled for this kind of machine, since it may use instructions of its CPU."""
    options = _options(variant.precision, threads)
    if variant.compiled is None or variant.compiled.machine != machine():
        return core().compile_model(str(folder / variant.files[0]), "CPU", options)
    written = (folder / variant.compiled.file).read_bytes()
    return core().import_model(written, "CPU", {**options, "WEIGHTS_PATH": str(folder / variant.files[1])})


def write_compiled(folder: Path, variant: Variant) -> Variant:
    """The variant with its graph compiled for this kind of machine, where the kind is known."""
    if not (kind := machine()):
        return variant
    file = f"{Path(variant.files[0]).stem}.{variant.precision}.compiled"
    (folder / file).write_bytes(load_graph(folder, variant, threads=1).export_model().getvalue())
    return variant.model_copy(update={"compiled": Compiled(file=file, machine=kind)})


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Hex sha256 over the CPU's instruction sets and OpenVINO's version; empty where the system doesn't tell.

    Over the architecture, too: where QEMU runs the programs of another one, the system tells of its own CPU.
    """
    try:
        told = {line for line in cpuinfo.read_text().splitlines() if line.startswith(TOLD)}
    except OSError:
        return ""
    if not told:
        return ""
    return hashlib.sha256("\n".join([openvino.__version__, os.uname().machine, *sorted(told)]).encode()).hexdigest()


def _options(precision: Precision, threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # Pinned, the threads of each process on a machine are bound to its same first CPUs, however many others idle:
        # two processes of two threads made 416 texts/s instead of 640. One process alone is 4 % faster pinned.
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": PRECISIONS[of_the_rest(precision)],
        "CACHE_MODE": "OPTIMIZE_SIZE",  # the compiled file refers to the weights and doesn't contain them
    }


def of_the_rest(precision: Precision) -> Precision:
    """What computes the parts of an int8 graph that are not quantized."""
    return precision if precision != "int8" else "bf16" if has_bf16() else "fp32"
