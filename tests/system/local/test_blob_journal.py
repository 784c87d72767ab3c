"""The journal under LokiJS: whatever moment a process is killed at, what it acknowledged is there."""

import asyncio
import json
import secrets
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from worker.local.azurite import node

STORE = Path(__file__).with_name("journal_store.js")
Blobs = dict[str, list[float] | None]


async def store(mode: str, file: Path, first: int = 0) -> Process:
    return await asyncio.create_subprocess_exec(node(), STORE, mode, file, str(first), stdout=PIPE)


async def transactions_before_kill(file: Path, first: int, count: int) -> tuple[list[Blobs], Blobs]:
    """Let the store acknowledge so many transactions and kill it; those, and the one under way."""
    process = await store("load", file, first)
    assert process.stdout
    lines = [await process.stdout.readline() for _ in range(2 * count)]
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    said = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return said[0 : len(said) // 2 * 2 : 2], said[-1] if len(said) % 2 else {}


async def dump(file: Path) -> Blobs:
    output, _ = await (await store("dump", file)).communicate()
    blobs: Blobs = json.loads(output)
    return blobs


async def test_every_acknowledged_change_outlives_kill_9_at_any_moment(tmp_path: Path) -> None:
    """The transaction under way at the kill is there as a whole or not at all."""
    file = tmp_path / "blobs.json"
    blobs = await dump(file)
    made = kept = 0
    for _ in range(8):
        acknowledged, under_way = await transactions_before_kill(file, made, secrets.randbelow(300) + 1)
        for changed in acknowledged:
            blobs |= changed
        found = await dump(file)
        assert found in (blobs, blobs | under_way)
        blobs = found
        made += len(acknowledged) + 1
        kept += sum(value is not None for value in blobs.values())
    assert kept > 0


async def test_a_last_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "blobs.json"
    await transactions_before_kill(file, 0, 20)
    blobs = await dump(file)
    (tmp_path / "blobs.json.journal.1000").write_text('[{"op":"delete","collection":"blobs","id":1}')
    assert await dump(file) == blobs


async def test_a_damaged_journal_is_told_and_never_taken_for_an_empty_store(tmp_path: Path) -> None:
    file = tmp_path / "blobs.json"
    await dump(file)
    (tmp_path / "blobs.json.journal.1000").write_text("no journal\n")
    process = await asyncio.create_subprocess_exec(node(), STORE, "dump", file, "0", stdout=PIPE, stderr=PIPE)
    _, said = await process.communicate()
    assert process.returncode != 0
    assert b"blobs.json or its journal is damaged" in said
