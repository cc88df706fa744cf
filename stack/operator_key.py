"""The headers that show the inside of a service, where a stack was started with OPERATOR_KEYS."""

import os
from collections.abc import Mapping

from stack.worker_secret import bearer


def operator_headers(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For `/metrics`, `/startupz` and `/readyz?verbose`, by OPERATOR_KEYS or OPERATOR_KEYS_FILE of this shell.

    Empty without them. Raises OSError.
    """
    return bearer("OPERATOR_KEYS", environment)
