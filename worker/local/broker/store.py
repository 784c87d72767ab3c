"""Durable state in SQLite, committed in groups.

What a queue changes is collected while a commit is under way and goes into the next one; whoever waits for
the change to be durable registers with `after_commit`. Statements run on the event loop (they touch memory
only); the commit, which waits for the disk, runs in a thread of its own.

Message state and content are separate tables: locking a large message rewrites a small row.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from worker.local.broker.message import Content
from worker.local.broker.values import DeadLetter, Message, State

_QUEUE_SHIFT: Final = 44  # a row's key is the queue's id above the message's key
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS queue (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last_sequence INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, sequence_number INTEGER NOT NULL, enqueued_at REAL NOT NULL,
    expires_at REAL NOT NULL, state INTEGER NOT NULL, delivery_count INTEGER NOT NULL, token BLOB,
    locked_until REAL NOT NULL, dead INTEGER NOT NULL, reason TEXT, description TEXT);
CREATE TABLE IF NOT EXISTS content (
    id INTEGER PRIMARY KEY, header BLOB NOT NULL, annotations BLOB NOT NULL,
    annotation_count INTEGER NOT NULL, bare BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS accepted_id (
    queue_id INTEGER NOT NULL, message_id BLOB NOT NULL, forget_at REAL NOT NULL,
    PRIMARY KEY (queue_id, message_id)) WITHOUT ROWID;
"""
_INSERT: Final = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_CONTENT: Final = "INSERT INTO content VALUES (?, ?, ?, ?, ?)"
_UPDATE: Final = """
UPDATE message SET sequence_number = ?2, enqueued_at = ?3, expires_at = ?4, state = ?5, delivery_count = ?6,
    token = ?7, locked_until = ?8, dead = ?9, reason = ?10, description = ?11 WHERE id = ?1
"""

_LOAD: Final = """
SELECT message.*, coalesce(length(header) + length(annotations) + length(bare), 0)
    FROM message LEFT JOIN content USING (id) WHERE id >= ? AND id < ? ORDER BY sequence_number
"""

_log = logging.getLogger(__name__)


class Store:
    """One database file. Must be used from the event loop it is opened in.

    `on_failure` is called once if a commit fails; from then on nothing is acknowledged any more.
    """

    def __init__(self, path: Path, on_failure: Callable[[sqlite3.Error], None]) -> None:
        self._on_failure = on_failure
        self._writer = _connect(path)
        self._writer.executescript(_SCHEMA)
        self._reader = _connect(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="broker-store")
        self._loop = asyncio.get_running_loop()
        self._new: dict[int, Content] = {}
        self._changed: dict[int, Message] = {}
        self._sequences: dict[int, int] = {}
        self._ids: list[tuple[int, bytes, float]] = []
        self._waiting: list[Callable[[], object]] = []
        self._flush_planned = False
        self._idle = asyncio.Event()
        self._idle.set()

    def open_queue(self, name: str) -> tuple[int, int]:
        """Return a queue's id and the last sequence number it gave out; creates what is not there."""
        with self._writer:
            self._writer.execute("INSERT OR IGNORE INTO queue (name) VALUES (?)", (name,))
        row = self._writer.execute("SELECT id, last_sequence FROM queue WHERE name = ?", (name,)).fetchone()
        return int(row[0]), int(row[1])

    def load_messages(self, queue_id: int) -> Iterable[Message]:
        """Read the state of all messages of a queue, by sequence number."""
        bounds = (queue_id << _QUEUE_SHIFT, (queue_id + 1) << _QUEUE_SHIFT)
        for row in self._writer.execute(_LOAD, bounds):
            yield _message(row)

    def load_ids(self, queue_id: int, now: float) -> list[tuple[bytes, float]]:
        """Read the message ids of a queue that are not to be forgotten yet; drops the others."""
        with self._writer:
            self._writer.execute("DELETE FROM accepted_id WHERE forget_at <= ?", (now,))
        query = "SELECT message_id, forget_at FROM accepted_id WHERE queue_id = ?"
        return self._writer.execute(query, (queue_id,)).fetchall()

    def content(self, queue_id: int, key: int) -> Content | None:
        """Read a message's content as of the last commit; None when it is not there."""
        query = "SELECT header, annotations, annotation_count, bare FROM content WHERE id = ?"
        row = self._reader.execute(query, (queue_id << _QUEUE_SHIFT | key,)).fetchone()
        return None if row is None else Content(*row)

    def add(self, queue_id: int, message: Message, content: Content) -> None:
        """Store a message that was accepted."""
        message.size = content.size
        self._new[queue_id << _QUEUE_SHIFT | message.key] = content
        self.save(queue_id, message)

    def save(self, queue_id: int, message: Message) -> None:
        """Store the state a message has when the next commit begins; drops it when it is gone."""
        self._changed[queue_id << _QUEUE_SHIFT | message.key] = message
        self._plan_flush()

    def save_sequence(self, queue_id: int, last_sequence: int) -> None:
        """Store the last sequence number given out."""
        self._sequences[queue_id] = last_sequence
        self._plan_flush()

    def remember_id(self, queue_id: int, message_id: bytes, forget_at: float) -> None:
        """Store a message id for duplicate detection."""
        self._ids.append((queue_id, message_id, forget_at))
        self._plan_flush()

    def after_commit(self, action: Callable[[], object]) -> None:
        """Call back, in the order of registration, when all that was changed so far is durable."""
        self._waiting.append(action)
        self._plan_flush()

    async def close(self) -> None:
        """Commit what is waiting and close the file."""
        await self._idle.wait()
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()

    def _plan_flush(self) -> None:
        if not self._flush_planned:
            self._flush_planned = True
            self._idle.clear()
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            self._write()
        except sqlite3.Error as error:
            self._fail(error)
            return
        if not self._writer.in_transaction:
            self._finish(waiting)
            return
        commit = self._loop.run_in_executor(self._thread, self._writer.commit)
        commit.add_done_callback(lambda done: self._committed(done, waiting))

    def _committed(self, commit: asyncio.Future[None], waiting: list[Callable[[], object]]) -> None:
        error = commit.exception()
        if error is not None:
            self._fail(error)
        else:
            self._finish(waiting)

    def _finish(self, waiting: list[Callable[[], object]]) -> None:
        for action in waiting:
            self._run(action)
        self._flush_planned = False
        if self._waiting or self._changed or self._sequences or self._ids:
            self._plan_flush()
        else:
            self._idle.set()

    @staticmethod
    def _run(action: Callable[[], object]) -> None:
        try:
            action()
        except Exception:  # noqa: BLE001 - the failure of one must not stop the others
            _log.exception("action_failed")

    def _fail(self, error: BaseException) -> None:
        """Leave `_flush_planned` set: nothing is written or acknowledged any more."""
        if not isinstance(error, sqlite3.Error):
            raise error
        self._idle.set()
        self._on_failure(error)

    def _write(self) -> None:
        new, self._new = self._new, {}
        changed, self._changed = self._changed, {}
        gone = {row_id for row_id, message in changed.items() if message.state.gone}
        rows = {row_id: _row(row_id, message) for row_id, message in changed.items() if row_id not in gone}
        added = [row_id for row_id in rows if row_id in new]
        self._write_many(_INSERT, [rows[row_id] for row_id in added])
        self._write_many(_INSERT_CONTENT, [_content_row(row_id, new[row_id]) for row_id in added])
        self._write_many(_UPDATE, [row for row_id, row in rows.items() if row_id not in new])
        dropped = [(row_id,) for row_id in gone if row_id not in new]
        self._write_many("DELETE FROM message WHERE id = ?", dropped)
        self._write_many("DELETE FROM content WHERE id = ?", dropped)
        self._write_queues()

    def _write_queues(self) -> None:
        sequences, self._sequences = self._sequences, {}
        ids, self._ids = self._ids, []
        rows = [(number, queue_id) for queue_id, number in sequences.items()]
        self._write_many("UPDATE queue SET last_sequence = ? WHERE id = ?", rows)
        self._write_many("INSERT OR REPLACE INTO accepted_id VALUES (?, ?, ?)", ids)

    def _write_many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._writer.executemany(statement, rows)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _row(row_id: int, message: Message) -> tuple[object, ...]:
    why = message.dead_letter
    return (
        row_id,
        message.sequence_number,
        message.enqueued_at,
        message.expires_at,
        message.state.value,
        message.delivery_count,
        message.token,
        message.locked_until,
        why is not None,
        why and why.reason,
        why and why.description,
    )


def _content_row(row_id: int, content: Content) -> tuple[object, ...]:
    return row_id, content.header, content.annotations, content.annotation_count, content.bare


def _message(row: Sequence[Any]) -> Message:
    row_id, sequence_number, enqueued_at, expires_at, state, count, token, locked_until, dead, *why, size = (
        row
    )
    return Message(
        key=row_id & ((1 << _QUEUE_SHIFT) - 1),
        sequence_number=sequence_number,
        enqueued_at=enqueued_at,
        expires_at=expires_at,
        state=State(state),
        delivery_count=count,
        token=token,
        locked_until=locked_until,
        dead_letter=DeadLetter(*why) if dead else None,
        size=size,
    )
