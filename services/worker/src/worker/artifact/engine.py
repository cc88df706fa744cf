"""Chooses the variant of an artifact for this CPU and these settings, and loads its engine."""

import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from warmstart import Fatal
from worker.artifact.manifest import Manifest, Variant
from worker.engines.base import Engine
from worker.settings import WorkerSettings

# Fastest first, of what serves without being asked for. On 2 cores of a Zen 4, batches of 32 texts of 17 tokens:
# OpenVINO bf16 1,930 texts/s, ONNX Runtime fp32 1,080 (medians of 15, in process); OpenVINO fp32 600, on a busy one.
PREFERENCE = (("openvino", "bf16"), ("onnx", "fp32"), ("openvino", "fp32"))
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}
BF16_FLAGS = {"avx512_bf16", "amx_bf16"}
MULTIPLYING = re.compile(r"\b(?:avx2|avx512f|avx\w*(?:vnni|bf16)\w*|amx_\w+|asimddp|i8mm|bf16|sve\w*)\b")


def choose(manifest: Manifest, settings: WorkerSettings) -> Variant:
    """The fastest variant that the settings allow, the CPU computes natively, and whose library is installed.

    Raises Fatal, with what the artifact has, when there is none.
    """
    only_int8 = all(each.precision == "int8" for each in manifest.variants)
    allowed = [each for each in _ranked(manifest.variants) if _asked_for(each, settings, only_int8)]
    for variant in allowed:
        if _installed(variant) and (variant.precision != "bf16" or has_bf16()):
            return variant
    have = ", ".join(f"{each.engine} {each.precision}" for each in manifest.variants)
    reason = "this CPU or this installation lacks what it needs" if allowed else f"the artifact has {have}"
    raise Fatal(f"ENGINE={settings.engine} PRECISION={settings.precision} can't be served: {reason}")


def _ranked(variants: Iterable[Variant]) -> list[Variant]:
    def rank(variant: Variant) -> int:
        kind = (variant.engine, variant.precision)
        return PREFERENCE.index(kind) if kind in PREFERENCE else len(PREFERENCE)

    return sorted(variants, key=rank)


def _asked_for(variant: Variant, settings: WorkerSettings, only_int8: bool) -> bool:
    if settings.engine not in ("auto", variant.engine):
        return False
    # int8 changes vectors visibly, so it is used only on request: by PRECISION, or by the name of an artifact of int8.
    asked = only_int8 or variant.precision != "int8"
    return settings.precision == variant.precision or (settings.precision == "auto" and asked)


def _installed(variant: Variant) -> bool:
    return importlib.util.find_spec(PACKAGES[variant.engine]) is not None


@cache
def has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bf16 natively; elsewhere it would be emulated, or ignored."""
    try:
        return any(BF16_FLAGS.intersection(line.split()) for line in cpuinfo.read_text().splitlines())
    except OSError:
        return False


def lacks_bf16(manifest: Manifest, variant: Variant, settings: WorkerSettings) -> bool:
    """Whether it is at fp32 only because the CPU of the export had no bf16: this one has, and nobody asks for fp32."""
    free = settings.precision == "auto" and settings.engine != "onnx" and variant.precision == "fp32"
    openvino = any(each.engine == "openvino" for each in manifest.variants)
    return free and openvino and manifest.bf16 is False and has_bf16()


def instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """The CPU's flags that decide how an engine multiplies; none where the system doesn't tell."""
    try:
        return sorted({flag for line in cpuinfo.read_text().splitlines() for flag in MULTIPLYING.findall(line)})
    except OSError:
        return []


def engine_of(folder: Path, manifest: Manifest, variant: Variant, threads: int) -> Engine:
    """Load a variant. Raises what its library raises, or Fatal when files are missing or altered."""
    manifest.verify(folder, variant)
    if variant.engine == "onnx":
        from worker.engines.onnx import OnnxEngine  # noqa: PLC0415 - only the engine that serves is imported

        return OnnxEngine(folder, manifest, variant, threads)
    from worker.engines.openvino import OpenVinoEngine  # noqa: PLC0415

    return OpenVinoEngine(folder, manifest, variant, threads)
