"""The document that a worker answers with what it does: ``GET /status`` and ``jsworker top --json``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from worker.gauges import Gauges  # noqa: TC001 - pydantic reads it when the model is made
from worker.recent import Ended, Moment, Phase, Rates  # noqa: TC001 - pydantic reads it when the model is made
from worker.version import __version__

if TYPE_CHECKING:
    from worker.gauges import LiveParts
    from worker.recent import Recent

PATH = "/status"


class Status(BaseModel):
    """A worker at one moment; ``phases`` are of the last jobs, of which ``recent`` are the latest."""

    model_config = ConfigDict(frozen=True)

    version: str
    instance: str
    started_at: Moment
    at: Moment
    gauges: Gauges
    rates: Rates
    phases: dict[str, Phase]
    recent: tuple[Ended, ...]


class StatusSource:
    """Makes the document of a worker that runs."""

    def __init__(self, live: LiveParts, recent: Recent, instance: str) -> None:
        self._live, self._recent, self._instance = live, recent, instance
        self._started_at = datetime.now(UTC)

    def read(self) -> Status:
        """As of now."""
        return Status(
            version=__version__,
            instance=self._instance,
            started_at=self._started_at,
            at=datetime.now(UTC),
            gauges=self._live.read(),
            rates=self._recent.rates(),
            phases=self._recent.phases(),
            recent=self._recent.jobs(),
        )
