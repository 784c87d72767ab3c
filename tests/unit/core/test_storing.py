"""What a program left: in the result where it fits, else in blobs beside it."""

import asyncio
from typing import Any

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.world import Process, World, job
from worker.faults import InfrastructureFault
from worker.result import Result, Stream
from worker.settlement import Complete, Retry


def attempt_of(world: World) -> str:
    """Where the one attempt put what it stored; its name ends in something random."""
    (name,) = {blob.split("/")[4] for blob in world.account.blobs if "/attempts/" in blob}
    assert name.startswith("1-0-")
    return f"results/default/j1/attempts/{name}"


async def not_believed(world: World, program: dict[str, Any], **fields: Any) -> Calls:  # noqa: ANN401 - fields of a job
    """The calls of a job that is run again, as often as it may be."""
    world.send(job("j1", program, **fields))
    process = world.process(max_attempts=1, max_collect_bytes=1000)
    settlement = await process.process_one()
    assert isinstance(settlement, Retry)
    await asyncio.sleep(settlement.delay)
    await process.process_one()
    assert world.result().status == "infrastructure_failed"
    return process.calls


async def result_of(world: World, program: dict[str, Any], **fields: Any) -> Result:  # noqa: ANN401 - fields of a job
    world.send(job("j1", program, **fields))
    assert await world.process(max_inline_output_bytes=10).process_one() == Complete()
    return world.result()


def blob(world: World, name: str | None) -> bytes:
    assert name is not None
    return world.account.find(name).data


@pytest.mark.parametrize("spill", [False, True])
async def test_text_that_is_whole_and_valid_needs_no_blob(world: World, *, spill: bool) -> None:
    result = await result_of(world, {"stdout": "grün 12345"[:9], "spill": spill})
    assert result.stdout == Stream(text="grün 1234", bytes=10)
    assert not any("attempts" in name for name in world.account.blobs)


@pytest.mark.parametrize("spill", [False, True])
async def test_long_output_is_whole_in_a_blob_and_begun_in_the_result(world: World, *, spill: bool) -> None:
    text = "line\n" * 1000
    result = await result_of(world, {"stdout": text, "stderr": text, "spill": spill})
    expected = Stream(text="line\nline\n", bytes=5000, truncated=True, blob=f"{attempt_of(world)}/stdout")
    assert result.stdout == expected
    assert blob(world, result.stdout.blob) == blob(world, result.stderr.blob) == text.encode()


@pytest.mark.parametrize("spill", [False, True])
async def test_bytes_that_are_no_text_are_kept_in_a_blob(world: World, *, spill: bool) -> None:
    result = await result_of(world, {"stdout": "hex:61ff62", "spill": spill})
    assert (result.stdout.text, result.stdout.bytes, result.stdout.truncated) == ("a\ufffdb", 3, False)
    assert blob(world, result.stdout.blob) == b"a\xffb"


async def test_a_character_that_is_cut_in_half_is_whole_in_the_blob(world: World) -> None:
    result = await result_of(world, {"stdout": "123456789ü"})
    assert result.stdout.text.startswith("123456789")
    assert blob(world, result.stdout.blob) == "123456789ü".encode()


@pytest.mark.parametrize("spill", [False, True])
async def test_files_are_collected_under_names_that_are_safe(world: World, *, spill: bool) -> None:
    files = {"plot.svg": "<svg>", "dir/ü b.txt": "text", "end..": ""}
    result = await result_of(world, {"files": files, "spill": spill}, collect=list(files))
    assert [(file.path, file.bytes) for file in result.files] == [
        ("plot.svg", 5),
        ("dir/ü b.txt", 4),
        ("end..", 0),
    ]
    assert [file.blob for file in result.files] == [
        f"{attempt_of(world)}/files/000-plot.svg",
        f"{attempt_of(world)}/files/001-dir___b.txt",
        f"{attempt_of(world)}/files/002-end",
    ]
    assert [blob(world, file.blob) for file in result.files] == [b"<svg>", b"text", b""]
    assert (result.status, result.error) == ("succeeded", None)


async def test_files_that_did_not_come_are_told(world: World) -> None:
    result = await result_of(world, {"files": {"a": "1"}}, collect=["a", "b", "c"])
    assert [file.path for file in result.files] == ["a"]
    assert result.error
    assert (result.error.code, result.error.field) == ("not_collected", "collect")
    assert "b (missing), c (missing)" in result.error.message


async def test_a_file_that_the_session_lost_is_told(world: World) -> None:
    result = await result_of(world, {"files": {"a": "1"}, "spill": True, "lost_files": True}, collect=["a"])
    assert result.files == ()
    assert result.error
    assert result.error.message.endswith(": a")


async def test_an_answer_too_long_for_its_frame_is_fetched(world: World) -> None:
    result = await result_of(world, {"stdout": "out", "stored": True})
    assert result.stdout.text == "out"


async def test_a_stream_that_cannot_be_stored_is_made_again_by_another_run(world: World) -> None:
    world.send(job("j1", {"stdout": "x" * 100, "spill": True}))
    process = world.process(max_inline_output_bytes=10)
    process.calls.fail("put", InfrastructureFault("gone"), after_effect=True)
    assert isinstance(await process.process_one(), Retry)
    assert await process.process_one() == Complete()
    assert (world.result().stdout.blob or "").startswith("results/default/j1/attempts/3-0-")


async def cell(world: World, program: dict[str, Any], **fields: object) -> Result:
    world.send(job("c", program, mode="cell", **fields))
    assert await world.process().process_one() == Complete()
    return world.result("c")


async def test_a_cell_gives_what_the_kernel_says(world: World) -> None:
    result = await cell(world, {"stdout": "out", "value": "2"})
    assert (result.status, result.stdout.text, result.value) == ("succeeded", "out", "2")


async def test_a_cell_that_throws_has_failed_with_what_it_threw(world: World) -> None:
    result = await cell(world, {"outcome": "failed", "stderr": "ReferenceError: x is not defined\n    at"})
    assert result.error
    assert (result.status, result.error.code) == ("failed", "exception")
    assert "ReferenceError: x is not defined" in result.error.message


async def test_a_cell_that_ran_too_long_has_timed_out(world: World) -> None:
    result = await cell(world, {"outcome": "timed_out"}, limits={"timeout_seconds": 3})
    assert result.error
    assert (result.status, result.error.message) == ("timed_out", "it ran longer than 3 s")
    assert world.pool.timeouts == [3]


async def test_a_cell_whose_stream_the_service_may_have_cut_says_so(world: World) -> None:
    result = await cell(world, {"stdout": "x" * 20_000})
    assert result.stdout.truncated


async def test_a_cell_gets_its_files_and_has_others_collected(world: World) -> None:
    files = [{"path": "in.txt", "inline": "in"}]
    result = await cell(world, {}, files=files, collect=["in.txt", "no.txt"])
    assert [blob(world, file.blob) for file in result.files] == [b"in"]
    assert result.error
    assert "no.txt" in result.error.message
    assert [file.bytes for file in result.files] == [2]


async def test_a_file_of_a_cell_that_is_larger_than_files_may_be_is_named_and_not_kept(world: World) -> None:
    files = [{"path": path, "inline": "x" * size} for path, size in (("a", 10_000), ("b", 9999))]
    world.send(job("j1", {}, mode="cell", files=files, collect=["a", "b"]))
    assert await world.process(max_collect_bytes=9999).process_one() == Complete()
    result = world.result()
    assert [(file.path, file.bytes) for file in result.files] == [("b", 9999)]
    assert result.error
    assert "did not come: a (more than 9999 bytes)" in result.error.message


@pytest.mark.parametrize(
    "program",
    [{"outcome": "aborted"}, {"outcome": "failed"}, {"outcome": "timed_out"}, {"cut": 50}, {"cut": 0}],
)
async def test_a_program_whose_answer_did_not_come_whole_is_run_again(
    world: World, program: dict[str, Any]
) -> None:
    world.send(job("j1", program))
    process: Process = world.process(max_attempts=3)
    for attempts in (1, 2, 3):
        settlement = await process.process_one()
        assert isinstance(settlement, Retry)
        assert settlement.history.attempts == attempts
        await asyncio.sleep(settlement.delay)
    await process.process_one()
    assert world.result().status == "infrastructure_failed"


@pytest.mark.parametrize(
    ("program", "status", "code"),
    [
        ({}, "succeeded", None),
        ({"exit_code": 3}, "failed", "exit_code"),
        ({"exit_code": None, "signal": "SIGKILL"}, "failed", "signal"),
        ({"ended_by": "timeout", "exit_code": None}, "timed_out", "timed_out"),
        ({"ended_by": "memory", "exit_code": None}, "out_of_memory", "out_of_memory"),
        ({"ended_by": "output", "exit_code": None}, "output_limit", "output_limit"),
        ({"ended_by": "spawn_failed", "exit_code": None}, "failed", "spawn_failed"),
    ],
    ids=str,
)
async def test_how_a_program_ended_is_its_status(
    world: World, program: dict[str, Any], status: str, code: str | None
) -> None:
    result = await result_of(world, program)
    assert (result.status, result.error and result.error.code) == (status, code)


async def test_inputs_that_do_not_fit_in_the_call_are_uploaded_first(world: World) -> None:
    big = "x" * 200_000
    world.account.write("inputs/big", big.encode())
    files = [{"path": "a.txt", "inline": "small"}, {"path": "b.txt", "blob": "inputs/big"}]
    await result_of(world, {}, files=files, stdin=big + "y")
    assert {len(received) for received in world.pool.received[:2]} == {200_000, 200_001}
    assert max(map(len, world.pool.received[2:])) < 200_000


@pytest.mark.parametrize("text", ["short", "line\n" * 1000])
async def test_of_what_goes_on_growing_in_the_session_no_more_is_taken_than_was_said(
    world: World, text: str
) -> None:
    files = {"a.txt": text}
    result = await result_of(
        world, {"stdout": text, "files": files, "spill": True, "grown": 5_000_000}, collect=["a.txt"]
    )
    assert (result.stdout.text, result.stdout.bytes) == (text[:10], len(text))
    assert [blob(world, file.blob) for file in result.files] == [text.encode()]
    assert sum(len(stored.data) for stored in world.account.blobs.values()) < 100_000


@pytest.mark.parametrize(
    "program", [{"files": {"a.txt": "text"}}, {"stdout": "text"}, {"stored": True}], ids=str
)
async def test_what_is_shorter_in_the_session_than_was_said_is_not_taken_for_the_whole(
    world: World, program: dict[str, Any]
) -> None:
    await not_believed(world, {**program, "spill": True, "shrunk": 1}, collect=["a.txt"])


async def test_output_to_be_judged_that_does_not_come_whole_is_no_verdict(world: World) -> None:
    program = {"stdout": "3\n", "spill": True, "shrunk": 1}
    await not_believed(world, program, cases=[{"name": "a", "expect": {"stdout": "3\n"}}])


@pytest.mark.parametrize(
    "program",
    [
        {"stdout": "x" * 101},
        {"stderr": "x" * 101, "spill": True},
        {"files": {"a.txt": "x" * 1001}},
        {"claims": {"files": [{"path": "../b", "size": 0, "inline": ""}]}},
        {"claims": {"files": [{"path": "a.txt", "size": 0, "inline": ""}] * 2}},
        {"claims": {"problems": [{"path": "x" * 1_000_000, "reason": "missing"}]}},
        {"ended_by": "spawn_failed", "claims": {"error": "x" * 1_000_000}},
        {"claims": {"exit_code": None, "signal": "x" * 1_000_000}},
    ],
    ids=["stdout", "stderr", "file", "stranger", "twice", "problem", "error", "signal"],
)
async def test_an_answer_with_more_than_was_asked_for_is_not_believed(
    world: World, program: dict[str, Any]
) -> None:
    await not_believed(world, program, collect=["a.txt"], limits={"output_bytes": 100})
    assert not any("/attempts/" in name for name in world.account.blobs)


async def test_an_answer_in_the_session_that_no_program_can_have_is_not_fetched(world: World) -> None:
    calls = await not_believed(world, {"stored": True, "claims_size": 20_000_000})
    assert "download" not in calls.made


async def test_a_file_that_is_asked_for_twice_comes_twice(world: World) -> None:
    result = await result_of(world, {"files": {"a.txt": "x"}}, collect=["a.txt", "a.txt"])
    assert [(file.path, file.bytes) for file in result.files] == [("a.txt", 1)] * 2


async def test_no_session_counts_as_in_use_for_a_file_that_was_left_halfway(world: World) -> None:
    world.send(job("j1", {}, mode="cell", files=[{"path": "a", "inline": "x" * 10_000}], collect=["a"]))
    process = world.process(max_collect_bytes=9)
    await process.process_one()
    assert process.permits.in_use == 0
    await asyncio.sleep(5)
    assert process.calls.made.count("release") == 1


async def test_what_is_shorter_than_was_said_is_no_sign_of_an_outage(world: World) -> None:
    process = world.process()
    for number in range(5):
        program = {"stdout": "text", "spill": True, "shrunk": 1}
        world.send(job(f"j{number}", program))
        assert isinstance(await process.process_one(), Retry)
    assert process.services.breaker.is_closed
    await process.drain()
