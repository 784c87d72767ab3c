"""What becomes of a message: a value, made where the outcome is known and carried out in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Complete:
    """The job's result is committed: the message has done its duty."""


@dataclass(frozen=True)
class DeadLetter:
    """The job has a terminal result that says why; the message is kept for whoever looks into it."""

    reason: str
    description: str


@dataclass(frozen=True)
class Retry:
    """Run again later, from a copy that is sent before the original is completed.

    Attributes:
        delay: seconds until the copy becomes visible; with 0 it stands at the end of the queue at once.
        history: what the copy carries along.
    """

    delay: float
    history: History


@dataclass(frozen=True)
class HandBack:
    """Give the message to another worker at once (shutdown, or this worker's settings are wrong)."""


@dataclass(frozen=True)
class LetGo:
    """The lock is lost: the message belongs to its next holder and must not be touched."""


Settlement = Complete | DeadLetter | Retry | HandBack | LetGo


@dataclass(frozen=True)
class History:
    """What a job has been through before this message, carried by its copies.

    Attributes:
        attempts: executions that were begun and lost.
        copies: how many copies there have been; makes each copy's message id its own, since
            duplicate detection would swallow one with the same id.
        reasons: why, oldest first.
        first_enqueued_ms: when the first message was enqueued, in ms since the epoch; None for that one.
        setbacks: how often a service failed this job while it served others.
        origin: sequence number of the first message; None for that one.
        replaces: ETag of a committed result that may be replaced, because somebody asked for another run.
        yields: how many of the copies were made to let another batch pass; nothing had gone wrong.
    """

    attempts: int = 0
    copies: int = 0
    reasons: tuple[str, ...] = field(default=())
    first_enqueued_ms: int | None = None
    setbacks: int = 0
    origin: int | None = None
    replaces: str | None = None
    yields: int = 0

    @property
    def waits(self) -> int:
        """How many of the copies were made because something was wrong; backoff grows with them."""
        return max(0, self.copies - self.yields)

    def after_attempt(self, reason: str) -> History:
        """One more execution was begun and lost."""
        return replace(self._copied(reason), attempts=self.attempts + 1)

    def after_setback(self, reason: str) -> History:
        """A service failed this job and no other; it has not run."""
        return replace(self._copied(reason), setbacks=self.setbacks + 1)

    def after_wait(self, reason: str) -> History:
        """The job waited in vain; no attempt is spent."""
        return self._copied(reason)

    def after_yield(self) -> History:
        """The message goes to the end of its queue, to let another batch pass."""
        return replace(self, copies=self.copies + 1, yields=self.yields + 1)

    def after_turn(self) -> History:
        """It was not the job's turn yet, which is no fault of anybody."""
        return replace(self, copies=self.copies + 1)

    def _copied(self, reason: str) -> History:
        return replace(self, copies=self.copies + 1, reasons=(*self.reasons, reason[:200])[-10:])
