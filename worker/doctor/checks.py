"""All checks, in the order in which they are made. A module of checks is added by its tuple."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.doctor import (
    blob_rules,
    clock,
    combinations,
    hosts,
    namespace_host,
    pool,
    pool_address,
    pool_session,
    queues,
    sign_in,
    storage,
)

if TYPE_CHECKING:
    from worker.doctor.check import Check


def checks() -> tuple[Check, ...]:
    """The checks of one examination."""
    return (
        *combinations.CHECKS,
        *sign_in.CHECKS,
        *namespace_host.CHECKS,
        *queues.CHECKS,
        *hosts.CHECKS_OF_STORAGE,
        *storage.CHECKS,
        *blob_rules.CHECKS,
        *pool_address.CHECKS,
        *hosts.CHECKS_OF_POOL,
        *pool.CHECKS,
        *pool_session.checks(),
        *clock.CHECKS,
    )
