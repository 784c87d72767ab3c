"""A session pool in memory. A program is a JSON object of what it does: ``{"stdout": "3", "seconds": 1}``.

It may have ``seconds``, ``stdout``, ``stderr`` (text, or hexadecimal after ``hex:``), ``exit_code``,
``signal``, ``ended_by``, ``files`` (text by path), ``spill`` (streams and files stay in the session),
``lost_files`` (they do not), ``stored`` (so does the answer), ``cut`` (the frame), ``outcome`` and
``value`` of the execution, the ``report`` of a harness, and ``ends_worker`` (the process that executes it
is gone).
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.faults import CapacityFault, ExecutionLost, SessionFileMissing
from worker.ran import Execution
from worker.runner.script import file_prefix

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.unit.core.calls import Calls

FRAME_CHARS = 20_000


@dataclass(eq=False)
class Session:
    used_at: float
    files: dict[str, bytes] = field(default_factory=dict)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    gone_at: float = math.inf

    def end(self) -> None:
        self.gone.set()
        self.gone_at = asyncio.get_running_loop().time()


@dataclass(frozen=True)
class Executed:
    """A program that ran in a session, whether or not anybody waited for it."""

    program: dict[str, Any]
    session: Session
    calls: Calls
    began: float

    @property
    def ended(self) -> float:
        return min(self.began + float(self.program.get("seconds", 0)), self.session.gone_at)


class Pool:
    """Outlives the processes that use it.

    Attributes:
        max_sessions: how many it allocates, and the most that may ever be allocated.
        identifiers: of all sessions there have been, in their order.
        received: all that came into a session.
        executed: every execution that was begun.
    """

    def __init__(self, max_sessions: int, cooldown_seconds: float = 300) -> None:
        self.max_sessions, self.cooldown_seconds = max_sessions, cooldown_seconds
        self.identifiers: list[str] = []
        self.received: list[bytes] = []
        self.executed: list[Executed] = []
        self.timeouts: list[float] = []
        self.peak = 0
        self.full = 0
        self.violations: list[str] = []
        self._sessions: dict[str, Session] = {}
        self._deleted: set[str] = set()

    @property
    def sessions(self) -> dict[str, Session]:
        """Those allocated now; one that was idle for the cooldown is gone."""
        oldest = asyncio.get_running_loop().time() - self.cooldown_seconds
        for identifier in [name for name, session in self._sessions.items() if session.used_at < oldest]:
            self._sessions.pop(identifier).end()
        return self._sessions

    def use(self, identifier: str) -> Session:
        if identifier in self._deleted:
            self.violations.append(f"the session {identifier} was used after its deletion")
        session = self.sessions.get(identifier)
        if session is None:
            if len(self.sessions) >= self.max_sessions:
                self.full += 1
                raise CapacityFault("the session pool is full")
            session = self._sessions[identifier] = Session(0)
            self.identifiers.append(identifier)
        self.peak = max(self.peak, len(self._sessions))
        session.used_at = asyncio.get_running_loop().time()
        return session

    def delete(self, identifier: str) -> None:
        self._deleted.add(identifier)
        session = self.sessions.pop(identifier, None)
        if session:
            session.end()


class FakePool:
    """One process's access to a pool."""

    stream_chars = FRAME_CHARS

    def __init__(self, pool: Pool, calls: Calls) -> None:
        self._pool, self._calls = pool, calls

    async def execute(self, permit: int, identifier: str, code: str, timeout_seconds: float) -> Execution:
        del permit
        async with self._calls.call("execute"):
            session = self._pool.use(identifier)
            self._pool.received.append(code.encode())
            self._pool.timeouts.append(timeout_seconds)
            program, spec = _parts(code, session)
            self._pool.executed.append(Executed(program, session, self._calls, session.used_at))
            if program.get("ends_worker"):
                self._calls.crash()
            await _last(session, program.get("seconds", 0))
            session.used_at = asyncio.get_running_loop().time()
            stdout = _frame(program, spec, session) if spec else program.get("stdout", "")
            outcome, stderr = program.get("outcome", "succeeded"), program.get("stderr", "")
            return Execution(outcome, stdout, stderr, program.get("value"), 3.0, 5.0)

    async def upload(self, permit: int, identifier: str, name: str, data: bytes) -> None:
        del permit
        async with self._calls.call("upload"):
            self._pool.use(identifier).files[name] = data
            self._pool.received.append(data)

    async def download(self, permit: int, identifier: str, name: str) -> AsyncGenerator[bytes]:
        del permit
        async with self._calls.call("download"):
            data = self._pool.use(identifier).files.get(name)
            if data is None:
                raise SessionFileMissing(name)
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]

    async def release(self, permit: int, identifier: str) -> bool:
        del permit
        async with self._calls.call("release"):
            is_there = identifier in self._pool.sessions
            self._pool.delete(identifier)
        return is_there

    async def identifiers(self, permit: int) -> list[str]:
        del permit
        async with self._calls.call("identifiers"):
            return list(self._pool.sessions)


async def _last(session: Session, seconds: float) -> None:
    """Take that long, unless the session is deleted meanwhile."""
    try:
        await asyncio.wait_for(session.gone.wait(), seconds)
    except TimeoutError:
        return
    raise ExecutionLost("the session was deleted while the program ran")


def _parts(code: str, session: Session) -> tuple[dict[str, Any], dict[str, Any]]:
    """The program, and what the runner was told besides; nothing when there is no runner."""
    _, found, call = code.rpartition("(JSON.parse(")
    spec: dict[str, Any] = json.loads(json.loads(call.removesuffix("));"))) if found else {}
    source = spec.get("code", {})
    text = code.encode()
    if spec:
        text = session.files[source["name"]] if "name" in source else base64.b64decode(source["inline"])
    return (json.loads(text) if text.startswith(b"{") else {}), spec


def _frame(program: dict[str, Any], spec: dict[str, Any], session: Session) -> str:
    nonce, prefix = spec["nonce"], file_prefix(spec["nonce"])
    left = _Left(session, prefix, program)
    made = program.get("files", {})
    run = {
        "ended_by": program.get("ended_by", "exit"),
        "exit_code": program.get("exit_code", 0),
        "signal": program.get("signal"),
        "duration_ms": 5,
        "stdout": left.content(program.get("stdout", "")),
        "stderr": left.content(program.get("stderr", "")),
        "files": [left.content(made[path]) | {"path": path} for path in spec["collect"] if path in made],
        "report": program.get("report"),
        "problems": [{"path": path, "reason": "missing"} for path in spec["collect"] if path not in made],
    }
    run |= program.get("claims", {})
    needed = [other["needs_exit_code"] for other in spec["runs"]]
    stops = (at for at, code in enumerate(needed, 1) if code not in (None, run["exit_code"]))
    payload = json.dumps({"node": "v20.18.0", "runs": [run] * next(stops, len(needed))})
    if program.get("stored"):
        session.files[f"{prefix}-answer"] = payload.encode()[program.get("shrunk", 0) :]
        crc = zlib.crc32(payload.encode())
        size = program.get("claims_size", len(payload))
        payload = json.dumps({"name": f"{prefix}-answer", "size": size, "crc": crc})
    frame = f"<jsw:{nonce}:{len(payload)}:{zlib.crc32(payload.encode())}>{payload}</jsw:{nonce}>"
    return frame[: program.get("cut", len(frame))]


class _Left:
    """What a program leaves: in the answer, or as files of the session."""

    def __init__(self, session: Session, prefix: str, program: dict[str, Any]) -> None:
        self._files, self._prefix, self._count = session.files, prefix, 0
        self._spill, self._lost = program.get("spill", False), program.get("lost_files", False)
        self._grown, self._shrunk = b"x" * program.get("grown", 0), program.get("shrunk", 0)

    def content(self, text: str) -> dict[str, Any]:
        data = bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()
        if not self._spill:
            return {"size": len(data), "inline": base64.b64encode(data).decode()}
        self._count += 1
        name = f"{self._prefix}-{self._count}"
        if not self._lost:
            self._files[name] = (data + self._grown)[self._shrunk :]
        return {"size": len(data), "name": name}
