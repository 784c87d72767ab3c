"""Telemetry as the settings ask for it. Where they do not, nothing is measured and nothing imported."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from worker.setting_groups import PREFIX
from worker.settings import SettingsError
from worker.telemetry.ages import OldestAges
from worker.telemetry.complaints import Complaints, heard
from worker.telemetry.gauging import add_gauges
from worker.telemetry.measuring import Measurements
from worker.telemetry.tracing import Traces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

    from worker.gauges import Gauges, LiveParts
    from worker.observing import Observer
    from worker.settings import WorkerSettings
    from worker.telemetry.ages import Looks
    from worker.telemetry.exporting import Exports

SNAPSHOT_SECONDS = 5.0


class Telemetry:
    """What the wiring of a worker needs to know; by itself, that nothing is measured.

    Attributes:
        observers: hear of jobs and calls.
        page: makes the text that Prometheus reads; None where none is asked for.
    """

    def __init__(self) -> None:
        self.observers: tuple[Observer, ...] = ()
        self.page: Callable[[], bytes] | None = None

    def duties(self, _queues: Mapping[str, Looks]) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What is to go on beside the jobs, given how to look at their queues."""
        return []


class Measured(Telemetry):
    """A worker that is measured.

    Its gauges are read on its loop alone, since exporters collect in their own threads: those get the last
    snapshot.
    """

    def __init__(self, settings: WorkerSettings, live: LiveParts, exports: Exports) -> None:
        super().__init__()
        self._live, self._ages = live, OldestAges({})
        self._gauges = live.read()
        queue, meter = settings.lanes[0].name, exports.meter
        self.observers = (Measurements(meter, queue),)
        if exports.is_traced:
            self.observers += (Traces(queue, settings.trace_ratio, exports.emit),)
        add_gauges(meter, self._last, lambda: dict(self._ages.seconds))
        if make := exports.page:
            self.page = lambda: self._fresh(make)

    def duties(self, queues: Mapping[str, Looks]) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Keep the snapshot and the ages of the queues up to date."""
        self._ages = OldestAges(queues)
        return [self._ages.run, self._look]

    async def _look(self) -> None:
        while True:
            self._gauges = self._live.read()
            await asyncio.sleep(SNAPSHOT_SECONDS)

    def _last(self) -> Gauges:
        return self._gauges

    def _fresh(self, make: Callable[[], bytes]) -> bytes:
        self._gauges = self._live.read()
        return make()


@asynccontextmanager
async def open_telemetry(settings: WorkerSettings, live: LiveParts) -> AsyncIterator[Telemetry]:
    """Measure a worker while the context lasts; what is left at its end is sent, if that is soon done.

    Raises:
        SettingsError: what the settings ask for is not installed, or they name what cannot be.
    """
    asked_for = _asked_for(settings)
    if not asked_for:
        yield Telemetry()
        return
    secret = settings.azure_monitor
    with heard(Complaints(_secrets(secret.get_secret_value()) if secret else [])):
        exports = _exports(settings, asked_for)
        try:
            yield Measured(settings, live, exports)
        finally:
            await exports.close()


def _asked_for(settings: WorkerSettings) -> str | None:
    """The first setting that asks for anything to be measured; None if none does."""
    return next(
        (name for name in ("metrics", "azure_monitor", "otlp_endpoint") if getattr(settings, name)), None
    )


def _exports(settings: WorkerSettings, asked_for: str) -> Exports:
    try:
        from worker.telemetry.exporting import open_exports  # noqa: PLC0415 - needs what may not be installed

        return open_exports(settings, settings.instance)
    except ModuleNotFoundError as error:
        raise _unusable(
            f"{PREFIX}{asked_for.upper()}: needs packages that are not installed ({error.name} is missing); "
            "pip install 'jsworker[telemetry]'"
        ) from error
    except ValueError as error:  # says nothing of the value
        raise _unusable(f"{PREFIX}AZURE_MONITOR: {error}") from None


def _unusable(problem: str) -> SettingsError:
    return SettingsError(f"the settings cannot be used:\n  {problem}")


def _secrets(connection_string: str) -> list[str]:
    """A connection string, and its parts that tell one resource from others."""
    pairs = (part.partition("=") for part in connection_string.split(";"))
    parts = [value for name, _, value in pairs if value and name.strip().lower().endswith(("key", "id"))]
    return [connection_string, *parts]
