"""The faults a local stack can be told to have: one JSON file, `{"pool": {…}, "broker": {…}, "blobs": {…}}`.

All are off by default. What ends in `_rate` is a probability from 0 to 1 for each request or operation, what
ends in `_seconds` a time. docs/rehearsing-faults.md says what each does.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.local.validation import explain

Rate = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Skew = Annotated[float, Field(ge=-86400, le=86400)]


class FaultsError(ValueError):
    """The file cannot be used; the text says which field is wrong, and how."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PoolFaults(_Strict):
    """What the session pool does wrong, and in which of the ways seen in real pools it differs from others.

    `hang_seconds` None keeps the caller waiting until it goes away.
    """

    accepted_status: bool = False
    cut_answers: bool = False
    when_full: Literal["429", "404", "500"] = "429"
    allocation_seconds: Seconds = 0.0
    delete_refused: Literal[405, 501] | None = None
    wrapped_body: bool = False
    unauthorized_once: bool = False
    unavailable_rate: Rate = 0.0
    full_rate: Rate = 0.0
    missing_rate: Rate = 0.0
    error_rate: Rate = 0.0
    error_after_rate: Rate = 0.0
    hang_rate: Rate = 0.0
    hang_seconds: Seconds | None = None
    half_body_rate: Rate = 0.0
    kill_kernel_rate: Rate = 0.0
    latency_seconds: Seconds = 0.0
    down: bool = False


class BrokerFaults(_Strict):
    """What the broker does wrong; `drop_connections_rate` counts for each connection and second."""

    drop_connections_rate: Rate = 0.0
    withhold_settlement_rate: Rate = 0.0
    lose_settlement_rate: Rate = 0.0
    refuse_renewal_rate: Rate = 0.0
    duplicate_delivery_rate: Rate = 0.0
    busy_rate: Rate = 0.0
    latency_seconds: Seconds = 0.0
    hang: bool = False
    refuse_listen: bool = False
    refuse_send: bool = False
    refuse_manage: bool = False
    clock_skew_seconds: Skew = 0.0


class BlobFaults(_Strict):
    """What the blob store does wrong. It reads its section itself (node/faults.js), by the same rules."""

    error_rate: Rate = 0.0
    busy_rate: Rate = 0.0
    error_after_rate: Rate = 0.0
    slow_body_rate: Rate = 0.0
    slow_body_seconds: Seconds = 2.0
    cut_body_rate: Rate = 0.0
    latency_seconds: Seconds = 0.0
    down: bool = False


class Faults(_Strict):
    """The file. With a seed each service draws the same numbers in the same order every time."""

    seed: int | None = None
    pool: PoolFaults = PoolFaults()
    broker: BrokerFaults = BrokerFaults()
    blobs: BlobFaults = BlobFaults()


def read_faults(file: Path) -> Faults:
    """Read the faults of a file.

    Raises:
        FaultsError: it cannot be read, is not JSON, or has an unknown or wrong field.
    """
    try:
        return Faults.model_validate_json(file.read_bytes())
    except OSError as error:
        raise FaultsError(f"{file}: {error.strerror}") from error
    except ValidationError as error:
        raise FaultsError(f"{file}: {explain(error)}") from error
