"""Instruments that cost the path of jobs next to nothing: counts are plain ints until somebody collects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from opentelemetry.metrics import CallbackOptions, Meter


class Counts:
    """A counter with one int for each combination of attributes; adding to the SDK's own costs 7 µs."""

    def __init__(self, meter: Meter, name: str, unit: str, description: str, *attributes: str) -> None:
        self._attributes = attributes
        self._counts: dict[tuple[str, ...], int] = {}
        meter.create_observable_counter(name, [self._observed], unit, description)

    def add(self, *values: str) -> None:
        """Count one, by the values of the attributes in their order."""
        self._counts[values] = self._counts.get(values, 0) + 1

    def _observed(self, _options: CallbackOptions) -> Iterator[Observation]:
        """May run in an exporter's thread while the worker counts."""
        for values, count in list(self._counts.items()):
            yield Observation(count, dict(zip(self._attributes, values, strict=True)))


class Seconds:
    """A histogram of times, by the values of attributes."""

    def __init__(
        self, meter: Meter, name: str, description: str, bounds: Sequence[float], *attributes: str
    ) -> None:
        self._attributes = attributes
        self._sets: dict[tuple[str, ...], dict[str, str]] = {}
        self._histogram = meter.create_histogram(
            name, "s", description, explicit_bucket_boundaries_advisory=bounds
        )

    def record(self, seconds: float, *values: str) -> None:
        """Record a time, by the values of the attributes in their order."""
        attributes = self._sets.get(values)
        if attributes is None:
            attributes = self._sets[values] = dict(zip(self._attributes, values, strict=True))
        self._histogram.record(seconds, attributes)


def gauge(  # noqa: PLR0913, PLR0917 - as many as an instrument has
    meter: Meter,
    name: str,
    unit: str,
    description: str,
    attribute: str,
    read: Callable[[], Iterable[tuple[str, float]]],
) -> None:
    """A gauge that is read when somebody collects, by one attribute; with an empty name it has none."""

    def observed(_options: CallbackOptions) -> Iterator[Observation]:
        for value, number in read():
            yield Observation(number, {attribute: value} if attribute else None)

    meter.create_observable_gauge(name, [observed], unit, description)
