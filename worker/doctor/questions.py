"""What is not known of pools of the kind NodeLTS: the first line of each question's text is the question."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from worker.doctor.probe import Reply
from worker.doctor.session_code import HELLO, PLACE, THROWS, WAITS, padded, prints
from worker.faults import ExecutionLost, InfrastructureFault
from worker.session_answers import execution_of
from worker.strict_json import decode_json

if TYPE_CHECKING:
    from worker.doctor.pool_wire import Answer
    from worker.doctor.probe import Probe

LOOKS, LOOK_SECONDS = 40, 0.25
STREAMS = (4_096, 20_000, 123_456, 1_000_000, 4_000_000)
CODES = (1 << 18, 1 << 20, 1 << 22, 1 << 24)
RUNNING_SECONDS = 2.0
ABOVE_THE_LIMIT_SECONDS = 221


async def delete(probe: Probe) -> Reply:
    """Is a session deleted, and how soon is it gone from the pool's records?"""
    async with probe.session() as session:
        probe.kept("POST executions", await probe.wire.execute(session, HELLO))
        answer = probe.kept("DELETE session", await probe.wire.delete(session))
        clock = asyncio.get_running_loop().time
        begin = clock()
        for _ in range(LOOKS):
            looked = await probe.wire.get("session", identifier=session)
            if not looked.response.is_success:
                break
            await asyncio.sleep(LOOK_SECONDS)
        seconds = round(clock() - begin, 2)
        probe.kept("GET session", looked)
        again = probe.kept("DELETE session, again", await probe.wire.delete(session))
    facts = {"status": answer.status, "gone_seconds": seconds, "again": again.status}
    said = f"{answer.status}, and gone {seconds:g} s later; deleted again: {again.status}"
    return _reply(said, facts)


async def js_error(probe: Probe) -> Reply:
    """What is told of a program that throws?"""
    async with probe.session() as session:
        answer = probe.kept("POST executions", await probe.wire.execute(session, THROWS))
    document = answer.document()
    result = document.get("result")
    stderr = str(result.get("stderr", "")) if isinstance(result, dict) else ""
    status = document.get("status")
    return _reply(
        f"{answer.status}, status {status!s:.40}, stderr begins {stderr[:120]!r}", {"stderr": stderr[:400]}
    )


async def asynchronous(probe: Probe) -> Reply:
    """Is a program run asynchronously, and is its outcome to be had afterwards?"""
    async with probe.session() as session:
        answer = await probe.wire.execute(session, HELLO, executionType="Asynchronous")
        probe.kept("POST executions, Asynchronous", answer)
        execution = answer.document().get("id")
        if answer.response.is_error or not execution:
            return _reply(f"no: {answer.status}", {"status": answer.status})
        await asyncio.sleep(1)
        looked = await probe.wire.get(
            f"executions/{execution}", version=probe.wire.version, identifier=session
        )
        probe.kept("GET executions/ID, a second later", looked)
    return _reply(
        f"{answer.status}, then {looked.status} with status {looked.document().get('status')}",
        {"status": answer.status, "then": looked.status},
    )


async def timeout_above_220(probe: Probe) -> Reply:
    """Is a time limit above 220 seconds taken?"""
    async with probe.session() as session:
        answer = await probe.wire.execute(session, HELLO, timeoutInSeconds=ABOVE_THE_LIMIT_SECONDS)
        probe.kept(f"POST executions, timeoutInSeconds {ABOVE_THE_LIMIT_SECONDS}", answer)
    return _reply("refused" if answer.response.is_error else "taken", {"status": answer.status})


async def output_streams_max_length(probe: Probe) -> Reply:
    """How much of a stream is to be had, by outputStreamsMaxLength?"""
    arrived: dict[str, int | str] = {}
    async with probe.session() as session:
        for count in STREAMS:
            answer = await probe.wire.execute(session, prints(count), outputStreamsMaxLength=count)
            arrived[str(count)] = _characters(answer)
            if answer.response.is_error:
                probe.kept(f"POST executions, outputStreamsMaxLength {count}", answer)
                break
    said = ", ".join(f"of {asked} asked for {came}" for asked, came in arrived.items())
    return _reply(f"{said} came", {"arrived": arrived})


async def code_size(probe: Probe) -> Reply:
    """How large may code be?"""
    statuses: dict[str, int] = {}
    async with probe.session() as session:
        for size in CODES:
            answer = await probe.wire.execute(session, padded(size), seconds=60)
            statuses[str(size)] = answer.status
            if answer.response.is_error:
                probe.kept(f"POST executions, code of {size} bytes", answer)
                break
    said = ", ".join(f"{int(size) >> 10} KiB: {status}" for size, status in statuses.items())
    return _reply(said, {"statuses": statuses})


async def place(probe: Probe) -> Reply:
    """What does a session have: Node, packages, folder, processors and memory?"""
    async with probe.session() as session:
        probe.kept("GET metadata", await probe.wire.get("metadata"))
        answer = await probe.wire.execute(session, PLACE, outputStreamsMaxLength=STREAMS[1])
        if answer.response.is_error:
            probe.kept("POST executions", answer)
    facts = _printed(answer)
    packages = facts.get("packages") or []
    return _reply(
        f"Node {facts.get('node')}, {len(packages)} packages, in {facts.get('folder')}, {facts.get('cpus')} "
        f"processors, {facts.get('memory_mb')} MiB (limit {facts.get('cgroup_memory')})",
        facts,
    )


async def delete_while_running(probe: Probe) -> Reply:
    """What becomes of a program whose session is deleted?"""
    async with probe.session() as session:
        running = asyncio.create_task(probe.wire.execute(session, WAITS))
        try:
            await asyncio.sleep(RUNNING_SECONDS)
            deleted = probe.kept("DELETE session", await probe.wire.delete(session))
            answer = probe.kept("POST executions, of 20 s", await running)
        finally:
            running.cancel()
    after = round(answer.seconds - RUNNING_SECONDS, 1)
    facts = {"delete": deleted.status, "execution": answer.status, "seconds_after": after}
    return _reply(
        f"the deletion was answered {deleted.status}, the execution {answer.status} {after:g} s later", facts
    )


def _reply(answer: str, facts: dict[str, Any]) -> Reply:
    return Reply("", "", answer, facts)


def _characters(answer: Answer) -> int | str:
    """How many characters of stdout came."""
    if answer.response.is_error:
        return f"none ({answer.status})"
    try:
        return len(execution_of(answer.response).stdout.rstrip("\n"))
    except ExecutionLost as error:
        return str(error)


def _printed(answer: Answer) -> dict[str, Any]:
    """The JSON that a program printed."""
    try:
        document = decode_json(execution_of(answer.response).stdout)
    except (ExecutionLost, ValueError, RecursionError) as error:
        raise InfrastructureFault(f"the program's output cannot be read: {error}") from error
    return document if isinstance(document, dict) else {}


QUESTIONS = (
    delete,
    js_error,
    asynchronous,
    timeout_above_220,
    output_streams_max_length,
    code_size,
    place,
    delete_while_running,
)
