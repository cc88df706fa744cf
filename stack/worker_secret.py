"""What a caller of the worker itself sends, where a stack was started with WORKER_SECRET."""

import os
from collections.abc import Mapping
from pathlib import Path


def worker_headers(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The headers, by WORKER_SECRET or WORKER_SECRET_FILE of this shell; none without them. Raises OSError."""
    secret, file = environment.get("WORKER_SECRET", ""), environment.get("WORKER_SECRET_FILE")
    values = (Path(file).read_text("utf-8-sig") if file else secret).replace(",", " ").split()
    return {"Authorization": f"Bearer {values[0]}"} if values else {}
