"""What exporters complain about, in the worker's own log, and not each time."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

log = structlog.get_logger()
PAUSE_SECONDS = 300.0
LOGGERS = ("opentelemetry", "azure.monitor.opentelemetry")
MOST = 500  # characters of a complaint


class Complaints(logging.Handler):
    """Tells the first complaint, and then one in five minutes with how many came meanwhile.

    Args:
        secrets: what no log may have in it.
        clock: seconds, from anywhere.
    """

    def __init__(self, secrets: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._secrets, self._clock = secrets, clock
        self._quiet_until, self._count = 0.0, 0

    def emit(self, record: logging.LogRecord) -> None:
        """Called under the handler's lock, in whichever thread exports."""
        self._count += 1
        if self._clock() < self._quiet_until:
            return
        reason = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            reason = f"{reason}: {record.exc_info[1]!r}"
        for secret in self._secrets:
            reason = reason.replace(secret, "…")
        log.warning("telemetry_troubled", reason=reason[:MOST], of=record.name, count=self._count)
        self._quiet_until, self._count = self._clock() + PAUSE_SECONDS, 0


@contextmanager
def heard(complaints: Complaints) -> Iterator[None]:
    """Give the exporters' loggers to a handler of our own while the context lasts."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(complaints)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.removeHandler(complaints)
            logger.propagate = propagate
