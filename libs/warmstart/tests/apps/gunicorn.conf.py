"""The sample under gunicorn, as a service would be."""

import os
import tempfile
from pathlib import Path

from pydantic import SecretStr

from warmstart import ServiceSettings, configure


class SampleSettings(ServiceSettings):
    """With a secret, which may be missing for a moment."""

    token: SecretStr | None = None


# Something that its owner deletes at its end, and that each forked process inherits.
scratch = tempfile.TemporaryDirectory(prefix="of-the-master-", dir=os.environ["WORLD"])

configure(globals(), SampleSettings, os.environ.get("APP", "sample:create_app()"))

pythonpath = str(Path(__file__).parent)
timeout = int(os.environ.get("TIMEOUT", "30"))
