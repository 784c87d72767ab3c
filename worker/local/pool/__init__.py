"""The local session pool: Container Apps dynamic sessions (NodeLTS) on loopback, each in a sandbox."""

from worker.local.pool.config import Limits, PoolConfig
from worker.local.pool.pool import SessionPool

__all__ = ["Limits", "PoolConfig", "SessionPool"]
