"""Session identifiers: secrets by which a deployment's workers know their own sessions."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_NO_JOB = "0" * 16


class Identifiers:
    """Session identifiers: ``jsw-<whose>-<permit>-<job>-<random>``, unguessable but for those who have them.

    The secret is the deployment's, so that each of its workers can tell the sessions of a job, whoever ran
    it; ``scope`` is what keeps apart those whose permits have the same numbers.
    """

    def __init__(self, secret: bytes, scope: str = "") -> None:
        self._secret = secret
        self._own = f"jsw-{self._digest(f'scope|{scope}')[:8]}-"

    def new(self, permit: int, job: str | None) -> str:
        """An identifier for a session under a permit: of one job, or None for one that outlives a job."""
        tag = self._tag(job) if job else _NO_JOB
        return f"{self._own}{permit:03}-{tag}-{secrets.token_hex(12)}"

    def is_own(self, identifier: str) -> bool:
        """Whether the session is of this scope."""
        return identifier.startswith(self._own)

    def of_permit(self, identifier: str, permit: int) -> bool:
        """Whether the session is of this scope and was made under the permit."""
        return identifier.startswith(f"{self._own}{permit:03}-")

    def of_job(self, identifier: str, job: str) -> bool:
        """Whether the session is one of the job's own, in whatever scope."""
        return identifier.startswith("jsw-") and f"-{self._tag(job)}-" in identifier

    def _tag(self, job: str) -> str:
        return self._digest(f"job|{job}")[:16]

    def _digest(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
