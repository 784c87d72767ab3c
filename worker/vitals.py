"""What the parts of the worker say of themselves, for those who ask whether it lives and is ready."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from worker.clock import now

log = structlog.get_logger()


@dataclass
class _Pulse:
    beaten_at: float
    seconds: float
    is_silent: bool = False


class Vitals:
    """Parts are ill until they are well again, or silent when they must be heard and are not.

    Changes are logged once, as ``part_ill`` and ``part_well``.
    """

    def __init__(self) -> None:
        self._away: str | None = "the worker is starting"
        self._ills: dict[str, str] = {}
        self._pulses: dict[str, _Pulse] = {}

    def started(self) -> None:
        """The worker can be counted on, as far as its parts are well."""
        self._away = None

    def stopping(self) -> None:
        """The worker takes nothing more."""
        self._away = "the worker is stopping"

    def ill(self, part: str, reason: str) -> None:
        """A part cannot do its work now, and why; a new reason takes the place of the former."""
        if part not in self._ills:
            log.warning("part_ill", part=part, reason=reason)
        self._ills[part] = reason

    def well(self, part: str) -> None:
        """A part does its work."""
        if self._ills.pop(part, None):
            log.info("part_well", part=part)

    def expect(self, part: str, seconds: float) -> None:
        """A part must beat from now on, with no longer silence than this."""
        self._pulses[part] = _Pulse(now(), seconds)

    def beat(self, part: str) -> None:
        """A part is at work; of one that is not expected it means nothing."""
        pulse = self._pulses.get(part)
        if not pulse:
            return
        pulse.beaten_at = now()
        if pulse.is_silent:
            pulse.is_silent = False
            log.info("part_well", part=part)

    def forget(self, part: str) -> None:
        """A part has ended in order and need not beat any more."""
        self._pulses.pop(part, None)

    def live(self) -> list[str]:
        """What a restart would help against: the parts that must beat and do not."""
        return [reason for part, pulse in self._pulses.items() if (reason := self._silence(part, pulse))]

    def ready(self) -> list[str]:
        """Why the worker is not to be counted on now."""
        away = [self._away] if self._away else []
        return [*away, *(f"{part}: {reason}" for part, reason in self._ills.items()), *self.live()]

    @staticmethod
    def _silence(part: str, pulse: _Pulse) -> str | None:
        silent_for = now() - pulse.beaten_at
        if silent_for <= pulse.seconds:
            return None
        reason = f"{part}: not heard of for {silent_for:.0f} s"
        if not pulse.is_silent:
            pulse.is_silent = True
            log.error("part_ill", part=part, reason=f"not heard of for {silent_for:.0f} s")
        return reason
