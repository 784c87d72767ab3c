"""What can go wrong with a job, by whom it concerns. Adapters raise these and never an SDK's own errors."""

from __future__ import annotations


class JobRejected(Exception):
    """The job itself cannot run; it ends in a terminal result with status ``rejected`` and a dead letter.

    Attributes:
        code: machine-readable reason, e.g. ``invalid_job`` or ``code_not_found``.
        message: a sentence for the job's owner.
        field: where in the job the fault is, as a dotted path, or None for the whole of it.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


class SubmissionUnusable(Exception):
    """What was handed in cannot be made a job; the message tells its owner why."""


class ServiceFault(Exception):
    """A service did not do its part; the program has not run and no attempt is spent."""


class CapacityFault(ServiceFault):
    """The pool is full or a service throttles: wait and try again.

    Attributes:
        retry_after: seconds the service asked to wait, or None.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InfrastructureFault(ServiceFault):
    """A service is out of reach or failed before the program ran."""


class ConfigurationFault(ServiceFault):
    """A credential, role, name or version is wrong: no retry helps, an operator must act.

    Attributes:
        remedy: what to do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}. {remedy}")
        self.remedy = remedy


class EntityMissing(ConfigurationFault):
    """The namespace has no such queue, topic or subscription."""


class PropertiesHidden(ConfigurationFault):
    """How an entity is set may not be read; that says nothing against using it."""


class ExecutionLost(Exception):
    """The program may have run but its answer never came, or came damaged: an attempt is spent."""


class SessionLost(ExecutionLost):
    """The pool says that this session failed: no sign of an outage, and perhaps the program's doing."""


class AlreadyCommitted(Exception):
    """Another attempt has committed the job's result first."""


class BlobMissing(Exception):
    """No such blob; whether that is the job's fault only the caller knows."""


class BlobTooLarge(Exception):
    """The blob is larger than the caller takes."""


class BlobChanged(Exception):
    """The blob is not the version that was asked for."""


class LeaseHeld(Exception):
    """Another has the lease on the blob, or had it since: it is not ours."""


class LockLost(Exception):
    """The message's lock has passed to another, or is about to: nothing more may be done in its name."""


class SessionFileMissing(Exception):
    """The session has no such file."""


class SchedulesError(Exception):
    """A file of schedules cannot be used, or not as was asked; the message says why, a line a problem."""
