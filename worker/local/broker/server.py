"""The broker: its store, its queues and topics, and the ports it listens on."""

import asyncio
import logging
import sqlite3
from types import TracebackType
from typing import Self

from worker.local.broker.administration import Administration
from worker.local.broker.auth import TokenCheck
from worker.local.broker.config import POLICY_NAME, BrokerConfig
from worker.local.broker.connection import Connection
from worker.local.broker.entities import Entities
from worker.local.broker.store import Store
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches

_TICK_SECONDS = 0.05

_log = logging.getLogger(__name__)


class Broker:
    """A broker on 127.0.0.1, from `async with` to its end."""

    def __init__(self, config: BrokerConfig, faults: Switches[BrokerFaults] | None = None) -> None:
        self.failed = asyncio.Event()
        self._config = config
        self._faults = faults or Switches(BrokerFaults())
        self._hangs = False
        self._connections: set[Connection] = set()
        self._entities: Entities
        self._store: Store
        self._server: asyncio.Server
        self._administration: Administration
        self._ticker: asyncio.TimerHandle

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def management_port(self) -> int:
        """The port of the management API."""
        return self._administration.port

    @property
    def connection_string(self) -> str:
        """What the Service Bus SDK connects with."""
        return (
            f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName={POLICY_NAME};"
            f"SharedAccessKey={self._config.key};UseDevelopmentEmulator=true"
        )

    async def __aenter__(self) -> Self:
        self._config.data_dir.mkdir(parents=True, exist_ok=True)
        self._store = Store(self._config.data_dir / "broker.sqlite3", self._give_up)
        self._entities = Entities(self._config, self._store, self._faults)
        tokens = TokenCheck(self._config.key, self._config.accepted_tokens)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._entities, tokens, self._connections, self._faults),
            "127.0.0.1",
            self._config.port,
        )
        self._administration = Administration(self._entities, tokens, self._faults)
        await self._administration.open(self._config.management_port)
        self._tick()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        await self._administration.close()
        self._ticker.cancel()
        for connection in list(self._connections):
            connection.close()
        await self._store.close()
        await self._server.wait_closed()

    def _tick(self) -> None:
        self._faults.refresh()
        self._hang()
        self._drop_connections()
        if not self._hangs:
            self._entities.tick()
        self._ticker = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    def _hang(self) -> None:
        """Stop or go on with all connections when the switch was turned."""
        if self._hangs == self._faults.now.hang:
            return
        self._hangs = self._faults.now.hang
        for connection in self._connections:
            if self._hangs:
                connection.outlet.freeze()
            else:
                connection.outlet.thaw()

    def _drop_connections(self) -> None:
        rate = self._faults.now.drop_connections_rate
        in_a_tick = 1 - (1 - rate) ** _TICK_SECONDS
        for connection in list(self._connections) if rate else ():
            if self._faults.happens_at("drop_connections_rate", in_a_tick):
                connection.outlet.reset()

    def _give_up(self, error: sqlite3.Error) -> None:
        _log.critical("store_failed", extra={"error": str(error)})
        for connection in list(self._connections):
            connection.close()
        self.failed.set()
