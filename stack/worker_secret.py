"""What a caller of the worker itself sends, where a stack was started with WORKER_SECRET."""

import os
from collections.abc import Mapping
from pathlib import Path


def worker_headers(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The headers, by WORKER_SECRET or WORKER_SECRET_FILE of this shell; none without them. Raises OSError."""
    return bearer("WORKER_SECRET", environment)


def bearer(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The header with the first token of a setting, or of the file that the shell names for it. Raises OSError."""
    tokens, file = environment.get(name, ""), environment.get(f"{name}_FILE")
    values = (Path(file).read_text("utf-8-sig") if file else tokens).replace(",", " ").split()
    return {"Authorization": f"Bearer {values[0]}"} if values else {}
