"""Settings of the worker. Nothing heavy is imported here: gunicorn's master reads them."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from contract.limits import BODY_BYTES, TEXT_CHARACTERS
from warmstart.settings.service import Bytes, Count, Seconds, ServiceSettings, Tokens, words_of
from worker.cpu import cpu_limit


class WorkerSettings(ServiceSettings):
    """What `ServiceSettings` has, and the model."""

    port: int = Field(8001, ge=1, le=65535, description="port to listen on")
    # Each api has few connections, one for each call under way, so an even distribution takes several new ones.
    connection_max_age: Seconds = Field(
        3, description="longest age of a connection; then its next answer says `Connection: close`"
    )
    max_body_bytes: Bytes = Field(BODY_BYTES, description="largest request body")
    max_body_bytes_in_flight: Bytes = Field(
        32 * 2**20, description="largest total of the request bodies of one process; beyond it, 503"
    )
    worker_secret: Tokens | None = Field(
        None, description="tokens of which callers need one; several while it is rotated; none: anybody may call"
    )
    embedding_model: str = Field(
        "all-MiniLM-L6-v2",
        pattern=r"^[\x20-\x7e]+$",  # it goes into a response header
        description="known model, folder, or the hub's `organisation/name`, perhaps with `@revision`, once exported",
    )
    engine: Literal["auto", "sentence-transformers", "onnx", "openvino", "fake"] = Field(
        "auto", description="what runs the model; auto: the fastest with an artifact; fake: no model"
    )
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        "auto", description="number format of the computation; auto: bf16 where the CPU has it, never int8"
    )
    artifacts: Path = Field(
        Path(".warmstart/artifacts"), description="folder of exported models (`python -m worker.export`)"
    )
    warmup_passes: bool = Field(True, description="whether forward passes at the served shapes run before readiness")
    max_text_characters: Count = Field(TEXT_CHARACTERS, description="longest text")
    # With many texts, passes need little padding: seventy of usual length give a tenth more texts/s than
    # thirty. They take 0.1 s on 2 cores; a larger batch would only delay newcomers.
    max_batch_tokens: Count = Field(2048, description="largest batch, in tokens; later requests wait for its end")
    # The largest request is 256 texts of 256 tokens; at 10,000 tokens/s it takes most of REQUEST_TIMEOUT.
    max_queue_tokens: Count = Field(
        65_536,
        description="most tokens that may wait (bulk requests count both lanes, others their own); beyond it, 503",
    )
    predictor: Path | None = Field(
        None, description="file of a scikit-learn estimator, for `/predict`: skops, or a pickle with `PREDICTOR_SHA256`"
    )
    predictor_sha256: str | None = Field(
        None, pattern=r"^[0-9A-Fa-f]{64}$", description="hex sha256 that this file must have; a pickle needs it"
    )
    predictor_trusted_types: str | None = Field(
        None,
        pattern=r"^[\w.]+([\s,]+[\w.]+)*$",
        description="types that a skops file may hold beside those that skops trusts, such as `my.Scaler`",
    )
    # Sixteen of the largest calls.
    max_queue_rows: Count = Field(
        4096, description="most rows that may wait for a prediction, counted as the tokens above; beyond it, 503"
    )

    @model_validator(mode="after")
    def _names_the_predictor(self) -> Self:
        for name in ("predictor_sha256", "predictor_trusted_types"):
            if getattr(self, name) and not self.predictor:
                raise ValueError(f"{name.upper()} needs PREDICTOR")
        return self

    @property
    def is_open(self) -> bool:
        """Whether anybody may call; nobody before the vault has said that there is no secret."""
        return not (self.awaits_secrets or self.worker_secret)

    def plain_tokens(self) -> dict[str, list[str]]:
        """See `ServiceSettings.plain_tokens`."""
        return {**super().plain_tokens(), "WORKER_SECRET": words_of(self.worker_secret)}

    @property
    def threads(self) -> int:
        """Model threads of one process: the pod's CPUs, shared out."""
        return max(1, cpu_limit() // self.web_concurrency)
