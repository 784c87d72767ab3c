"""What queues and topics do alike with messages that are sent to them: throttle, and drop duplicates."""

import time

from worker.local.broker.duplicates import DuplicateWindow
from worker.local.broker.errors import SERVER_BUSY, SERVER_BUSY_TEXT, AmqpError
from worker.local.broker.store import Store
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches


class Intake:
    """The way in of one entity, by its id in the store. A window of None (else seconds) lets all in."""

    def __init__(
        self, store: Store, entity_id: int, window: float | None, faults: Switches[BrokerFaults]
    ) -> None:
        self._store = store
        self._id = entity_id
        self._faults = faults
        known = store.load_ids(entity_id, time.time())
        self._window = None if window is None else DuplicateWindow(window, known)

    def refuse_if_busy(self) -> None:
        """Raise `AmqpError` when the switches say that the entity is throttled."""
        if self._faults.happens("busy_rate"):
            raise AmqpError(SERVER_BUSY, SERVER_BUSY_TEXT)

    def admits(self, message_id: bytes | None, now: float) -> bool:
        """Whether a message is new; its id is remembered with the next commit."""
        if self._window is None or message_id is None:
            return True
        forget_at = self._window.remember(message_id, now)
        if forget_at is not None:
            self._store.remember_id(self._id, message_id, forget_at)
        return forget_at is not None
