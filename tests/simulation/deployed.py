"""A worker process with all that goes on beside its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.core.world import Process
from worker.identifiers import Identifiers
from worker.permit_leases import PermitLeases

if TYPE_CHECKING:
    from worker.lifecycle import Duty

SECRET = b"a secret of the deployment"


class Deployed(Process):
    """Put together as ``worker.app`` does for a deployment."""

    def new_identifiers(self) -> Identifiers:
        return Identifiers(SECRET, "" if self.settings.permit_leases else self.settings.instance)

    def duties(self) -> list[Duty]:
        self.shared = PermitLeases(self.blobs, self.pool, self.permits, self.identifiers, self.settings)
        own = [self.cancellations.run]
        return [*own, self.shared.run] if self.settings.permit_leases else own

    async def run(self) -> int:
        """From start to stop."""
        if not self.settings.permit_leases:
            await self.leases.sweep()
        try:
            return await self.worker.run(self.stop, drain=False)
        finally:
            await self.shared.close()
