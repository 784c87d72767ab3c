"""Every answer that a session pool is known to give, and what the adapter makes of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from tests.contract.adapters.conftest import pool_settings
from tests.contract.adapters.scripted_pool import Answer, ScriptedPool
from worker import sessions
from worker.faults import (
    CapacityFault,
    ConfigurationFault,
    ExecutionLost,
    InfrastructureFault,
    SessionFileMissing,
    SessionLost,
)
from worker.sessions import ANSWER_SECONDS, MOST_PAGES, open_sessions

if TYPE_CHECKING:
    from worker.sessions import SessionPool


def ran(status: str = "Succeeded", **result: object) -> dict[str, Any]:
    return {"$id": "1", "id": "x", "executionType": "Synchronous", "status": status, "result": result}


def error(code: str, message: str = "m") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "traceId": "t"}}


@pytest.mark.parametrize("status", [200, 202])
async def test_an_execution_is_judged_by_its_status_and_not_by_the_http_code(
    server: ScriptedPool, pool: SessionPool, status: int
) -> None:
    body = ran(stdout="out", stderr="err", executionResult="2", executionTimeInMilliseconds=12)
    server.plan(Answer(status, body, {"x-ms-allocation-time": "2382"}))
    execution = await pool.execute(0, "jsw-1", "1+1", 10)
    assert (execution.outcome, execution.stdout, execution.stderr) == ("succeeded", "out", "err")
    assert (execution.value, execution.allocate_ms, execution.execute_ms) == ("2", 2382.0, 12.0)
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/subscriptions/s/sessionPools/p/executions")
    assert seen.query == {"api-version": "2025-10-02-preview", "identifier": "jsw-1"}
    assert seen.headers["Authorization"] == "Bearer t0"
    assert json.loads(seen.body) == {
        "codeInputType": "Inline",
        "executionType": "Synchronous",
        "code": "1+1",
        "timeoutInSeconds": 10,
        "outputStreamsMaxLength": pool.stream_chars,
    }


@pytest.mark.parametrize(
    ("stderr", "outcome"),
    [
        ("ReferenceError: x is not defined", "failed"),
        ("Request timed out waiting for code execution to complete after 10 s", "timed_out"),
        ("Execution aborted", "aborted"),
        ("Kernel restarted", "aborted"),
        ("", "failed"),
    ],
)
async def test_what_failed_in_the_platforms_words_is_not_the_programs_doing(
    server: ScriptedPool, pool: SessionPool, stderr: str, outcome: str
) -> None:
    server.plan(Answer(202, ran("Failed", stdout=None, stderr=stderr)))
    assert (await pool.execute(0, "s", "x", 10)).outcome == outcome


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b'"text"',
        b'"properties"',
        b"5",
        b'{"status": 5, "result": 5}',
        b'{"status": "Succeeded", "result": "text"}',
        b'{"status": ["Succeeded"]}',
        b'{"properties": null}',
        b'{"properties": 1}',
        b"[" * 100_000,
        json.dumps(ran("Running")).encode(),
        json.dumps(ran("Canceled")).encode(),
        json.dumps({"result": {}}).encode(),
    ],
    ids=lambda body: body[:30].decode(),
)
async def test_a_damaged_or_unfinished_answer_leaves_the_execution_lost(
    server: ScriptedPool, pool: SessionPool, body: bytes
) -> None:
    server.plan(Answer(200, body))
    with pytest.raises(ExecutionLost):
        await pool.execute(0, "s", "x", 10)


@pytest.mark.parametrize("answer", [Answer(drop=True), Answer(body=b'{"status"', cut=True)], ids=repr)
async def test_an_answer_that_never_came_whole_leaves_the_execution_lost_and_is_not_asked_for_again(
    server: ScriptedPool, pool: SessionPool, answer: Answer
) -> None:
    server.plan(answer)
    with pytest.raises(ExecutionLost):
        await pool.execute(0, "s", "x", 10)
    assert len(server.seen) == 1


async def test_of_an_answer_without_end_no_more_is_taken_than_shows_it(
    server: ScriptedPool, pool: SessionPool
) -> None:
    """It is the session's doing, and no sign that the service fails."""
    body = json.dumps(ran(stdout="x" * 40_000_000)).encode()
    server.plan(Answer(200, body), Answer(200, ran(stdout="y")))
    with pytest.raises(SessionLost, match="more than 16 MB"):
        await pool.execute(0, "s", "x", 10)
    assert (await pool.execute(0, "t", "x", 10)).stdout == "y"


@pytest.mark.parametrize("packing", ["gzip", "gzip, gzip"])
async def test_nothing_is_unpacked_since_a_few_bytes_may_stand_for_gigabytes(
    server: ScriptedPool, pool: SessionPool, packing: str
) -> None:
    server.plan(Answer(200, gzip.compress(b"{}"), {"Content-Encoding": packing}))
    with pytest.raises(ExecutionLost, match="packed"):
        await pool.execute(0, "s", "x", 10)
    assert server.seen[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("time", ["NaN", "1e999", "-1", "9" * 400, '"soon"', "true", "[]"])
async def test_a_time_that_cannot_be_one_is_not_known(
    server: ScriptedPool, pool: SessionPool, time: str
) -> None:
    body = b'{"status": "Succeeded", "result": {"executionTimeInMilliseconds": %b}}' % time.encode()
    server.plan(Answer(200, body, {"x-ms-allocation-time": time}))
    execution = await pool.execute(0, "s", "x", 10)
    assert (execution.execute_ms, execution.allocate_ms) == (None, None)


@pytest.mark.parametrize("status", [302, 307, 399, 600, 999])
async def test_an_answer_that_is_no_success_is_taken_for_none(
    server: ScriptedPool, pool: SessionPool, status: int
) -> None:
    server.plan(*[Answer(status, ran(), {"Location": "http://127.0.0.1:9/"})] * 4)
    with pytest.raises(InfrastructureFault, match=str(status)):
        await pool.execute(0, "s", "x", 10)
    with pytest.raises(InfrastructureFault, match=str(status)):
        await pool.release(0, "s")
    with pytest.raises(InfrastructureFault, match=str(status)):
        await pool.upload(0, "s", "file", b"")
    with pytest.raises(InfrastructureFault, match=str(status)):
        _ = [piece async for piece in pool.download(0, "s", "file")]


@pytest.mark.parametrize("charset", ["base64", "undefined", "idna", "rot13"])
async def test_no_answer_says_how_its_characters_are_read(
    server: ScriptedPool, pool: SessionPool, charset: str
) -> None:
    server.plan(Answer(400, b"\xff", {"Content-Type": f"text/plain; charset={charset}"}))
    with pytest.raises(ExecutionLost, match="refused POST executions"):
        await pool.execute(0, "s", "x", 10)


async def test_headers_that_are_no_ascii_do_no_harm(server: ScriptedPool, pool: SessionPool) -> None:
    server.plan(Answer(200, ran(stdout="y"), {"x-city": "Zürich", "x-ms-allocation-time": "7"}))
    execution = await pool.execute(0, "s", "x", 10)
    assert (execution.stdout, execution.allocate_ms) == ("y", 7.0)


async def test_an_answer_that_trickles_is_not_waited_for_without_end(
    server: ScriptedPool, pool: SessionPool
) -> None:
    server.plan(Answer(body=b" " * 1000, trickles=True))
    with pytest.raises(ExecutionLost, match=r"never came whole in 0\.6 s"):
        await pool.execute(0, "s", "x", 0.3 - ANSWER_SECONDS)


async def test_a_connection_that_cannot_be_made_means_that_nothing_has_run() -> None:
    async with ScriptedPool() as server:
        endpoint = server.url
    async with open_sessions(pool_settings(endpoint), None) as pool:
        with pytest.raises(InfrastructureFault, match="out of reach"):
            await pool.execute(0, "s", "x", 10)


CAPACITY = [
    Answer(429),
    Answer(429, {"code": "SessionsCountExceedsLimit", "message": "full"}),
    Answer(429, error("TooManyRequests"), {"Retry-After": "17"}),
    Answer(404),
    Answer(404, b"The pool has no room"),
    Answer(500, b"Error happened when allocating pod for identifier s"),
    Answer(429, error("X", "Error happened when allocating pod for identifier s")),
]


@pytest.mark.parametrize("answer", CAPACITY, ids=str)
async def test_a_full_pool_is_no_fault_of_the_jobs(
    server: ScriptedPool, pool: SessionPool, answer: Answer
) -> None:
    server.plan(answer, answer)
    with pytest.raises(CapacityFault) as caught:
        await pool.execute(0, "s", "x", 10)
    assert caught.value.retry_after == (17.0 if answer.headers else None)
    with pytest.raises(CapacityFault):
        await pool.upload(0, "s", "a", b"")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_service_that_fails_is_an_infrastructure_fault(
    server: ScriptedPool, pool: SessionPool, status: int
) -> None:
    server.plan(Answer(status, error("Internal")))
    with pytest.raises(InfrastructureFault):
        await pool.execute(0, "s", "x", 10)


@pytest.mark.parametrize(
    "answers",
    [(Answer(403), Answer(403)), (Answer(401), Answer(401)), (Answer(403, b"no role"), Answer(403))],
)
async def test_a_refusal_says_what_to_do(
    server: ScriptedPool, pool: SessionPool, answers: tuple[Answer, ...]
) -> None:
    server.plan(*answers)
    with pytest.raises(ConfigurationFault, match="Session Executor"):
        await pool.execute(0, "s", "x", 10)


@pytest.mark.parametrize("status", [400, 404, 409, 413, 415, 507])
async def test_another_refusal_is_lost_and_not_capacity(
    server: ScriptedPool, pool: SessionPool, status: int
) -> None:
    server.plan(Answer(status, error("FileNotFound")))
    with pytest.raises(ExecutionLost):
        await pool.execute(0, "s", "x", 10)


async def test_a_session_that_is_not_there_is_not_taken_for_an_answer_to_an_execution(
    server: ScriptedPool, pool: SessionPool
) -> None:
    server.plan(
        Answer(404, error("NoSessionFoundError")), Answer(400, error("SessionWithIdentifierNotFound"))
    )
    for _ in range(2):
        with pytest.raises((CapacityFault, ExecutionLost)):
            await pool.execute(0, "s", "x", 10)


async def test_the_other_shape_of_the_body_is_tried_once_and_kept(
    server: ScriptedPool, pool: SessionPool
) -> None:
    answer = {"properties": ran(stdout="out")}
    missing = Answer(400, error("SessionPropertiesMissing"))
    server.plan(missing, Answer(200, answer), Answer(200, answer))
    for _ in range(2):
        assert (await pool.execute(0, "s", "x", 10)).stdout == "out"
    assert [("properties" in json.loads(seen.body)) for seen in server.seen] == [False, True, True]


async def test_the_other_shape_is_found_by_many_at_once(server: ScriptedPool, pool: SessionPool) -> None:
    missing = Answer(400, error("SessionPropertiesMissing"))
    server.plan(missing, missing, Answer(200, ran()), Answer(200, ran()))
    await asyncio.gather(pool.execute(0, "s1", "x", 10), pool.execute(1, "s2", "x", 10))
    assert sum("properties" in json.loads(seen.body) for seen in server.seen) == 2


class Credential:
    """Gives numbered tokens that last as long as told."""

    def __init__(self, seconds: float = 3600, fault: Exception | None = None) -> None:
        self._seconds, self._fault, self.given = seconds, fault, 0

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        if self._fault:
            raise self._fault
        assert scopes == ("https://dynamicsessions.io/.default",)
        self.given += 1
        return AccessToken(f"t{self.given}", int(time.time() + self._seconds))


async def executes_with(server: ScriptedPool, credential: Any, times: int = 1) -> list[str]:  # noqa: ANN401 - a fake
    async with open_sessions(pool_settings(server.url, pool_token=None), credential) as pool:
        for _ in range(times):
            await pool.execute(0, "s", "x", 10)
    return [seen.headers["Authorization"] for seen in server.seen]


async def test_a_refused_token_is_renewed_once(server: ScriptedPool) -> None:
    server.plan(Answer(401), Answer(200, ran()), Answer(200, ran()))
    assert await executes_with(server, Credential(), 2) == ["Bearer t1", "Bearer t2", "Bearer t2"]


async def test_a_token_is_kept_until_shortly_before_its_end(server: ScriptedPool) -> None:
    server.plan(*[Answer(200, ran())] * 2)
    assert await executes_with(server, Credential(), 2) == ["Bearer t1"] * 2


async def test_a_token_near_its_end_is_renewed_before_it_is_used(server: ScriptedPool) -> None:
    server.plan(*[Answer(200, ran())] * 2)
    assert await executes_with(server, Credential(200), 2) == ["Bearer t1", "Bearer t2"]


async def test_a_credential_that_gives_no_token_is_a_matter_of_configuration(server: ScriptedPool) -> None:
    with pytest.raises(ConfigurationFault, match="az login"):
        await executes_with(server, Credential(fault=ClientAuthenticationError("no account")))


@pytest.mark.parametrize(
    ("answer", "is_there"),
    [
        (Answer(204), True),
        (Answer(404, error("NoSessionFoundError")), False),
        (Answer(400, error("SessionWithIdentifierNotFound")), False),
        (Answer(404), False),
    ],
    ids=str,
)
async def test_a_session_that_is_gone_is_released(
    server: ScriptedPool, pool: SessionPool, answer: Answer, *, is_there: bool
) -> None:
    server.plan(answer)
    assert await pool.release(1, "jsw-1") is is_there
    (seen,) = server.seen
    assert (seen.method, seen.path.rpartition("/")[2]) == ("DELETE", "session")
    assert seen.query["identifier"] == "jsw-1"


@pytest.mark.parametrize("status", [405, 501])
async def test_a_pool_that_deletes_no_sessions_is_a_matter_of_configuration(
    server: ScriptedPool, pool: SessionPool, status: int
) -> None:
    server.plan(Answer(status))
    with pytest.raises(ConfigurationFault, match="POOL_API_VERSION"):
        await pool.release(0, "jsw-1")


@pytest.mark.parametrize(
    "answer",
    [Answer(400, b"what?"), Answer(503), Answer(429), Answer(drop=True)],
    ids=str,
)
async def test_a_release_that_is_not_confirmed_is_told(
    server: ScriptedPool, pool: SessionPool, answer: Answer
) -> None:
    server.plan(answer)
    with pytest.raises(InfrastructureFault):
        await pool.release(0, "s")


@pytest.mark.parametrize(
    ("version", "of_release"),
    [("2024-10-02-preview", "2025-10-02-preview"), ("2025-02-02-preview", "2025-02-02-preview")],
)
async def test_an_old_api_version_has_short_streams_and_releases_with_one_that_can(
    server: ScriptedPool, version: str, of_release: str
) -> None:
    server.plan(Answer(200, ran()), Answer(204))
    async with open_sessions(pool_settings(server.url, pool_api_version=version), None) as pool:
        await pool.execute(0, "s", "x", 10)
        await pool.release(0, "s")
        assert pool.stream_chars == 4096
    assert [seen.query["api-version"] for seen in server.seen] == [version, of_release]
    assert "outputStreamsMaxLength" not in json.loads(server.seen[0].body)


def listed(*names: str, next_link: str | None = None) -> dict[str, Any]:
    sessions = [{"identifier": name, "createdAt": "2026-01-01T00:00:00Z"} for name in names]
    return {"sessions": sessions, "nextLink": next_link}


async def test_sessions_are_listed_over_all_pages(server: ScriptedPool, pool: SessionPool) -> None:
    server.plan(
        Answer(200, listed("a", "b", next_link=f"{server.url}/listSessions?api-version=v&skip=2")),
        Answer(200, listed("c")),
    )
    assert await pool.identifiers(0) == ["a", "b", "c"]
    assert [seen.path.rpartition("/")[2] for seen in server.seen] == ["listSessions", "listSessions"]
    assert server.seen[1].query == {"api-version": "v", "skip": "2"}


async def test_a_list_that_goes_on_elsewhere_is_not_followed_with_the_token(
    server: ScriptedPool, pool: SessionPool
) -> None:
    server.plan(Answer(200, listed("a", next_link="http://127.0.0.1:9/listSessions")))
    with pytest.raises(InfrastructureFault, match="elsewhere"):
        await pool.identifiers(0)


@pytest.mark.parametrize(
    "answer",
    [Answer(200, b"what?"), Answer(200, {"sessions": [{}]}), Answer(503), Answer(400), Answer(drop=True)],
    ids=str,
)
async def test_a_list_that_does_not_come_is_a_fault(
    server: ScriptedPool, pool: SessionPool, answer: Answer
) -> None:
    server.plan(answer)
    with pytest.raises(InfrastructureFault):
        await pool.identifiers(0)


@pytest.mark.parametrize("status", [403, 404, 405, 501])
async def test_a_pool_that_does_not_list_sessions_is_a_matter_of_configuration(
    server: ScriptedPool, pool: SessionPool, status: int
) -> None:
    server.plan(*[Answer(status)] * 2)
    with pytest.raises(ConfigurationFault, match="POOL_API_VERSION"):
        await pool.identifiers(0)


@pytest.mark.parametrize("link", [5, ["a"], {"a": 1}, True, "/\n", "/\0", "/\ud800", "/" + "x" * 70_000])
async def test_a_list_whose_link_is_none_is_a_fault(
    server: ScriptedPool, pool: SessionPool, link: object
) -> None:
    wanted = f"{server.url}{link}" if isinstance(link, str) else link
    server.plan(Answer(200, {"sessions": [], "nextLink": wanted}))
    with pytest.raises(InfrastructureFault):
        await pool.identifiers(0)


async def test_a_list_that_goes_in_a_circle_comes_to_an_end(server: ScriptedPool, pool: SessionPool) -> None:
    server.plan(*[Answer(200, listed("a", next_link=f"{server.url}/listSessions?page=1"))] * MOST_PAGES)
    with pytest.raises(InfrastructureFault, match="does not end"):
        await pool.identifiers(0)
    assert len(server.seen) == MOST_PAGES


async def test_a_list_that_does_not_come_in_time_is_a_fault(
    server: ScriptedPool, pool: SessionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LIST_SECONDS", 0.1)
    server.plan(Answer(hang=True))
    with pytest.raises(InfrastructureFault, match=r"not within 0\.1 s"):
        await pool.identifiers(0)


@pytest.mark.parametrize("identifier", ["a\nb", "a&identifier=b#c", "\ud800", "x/../y"])
async def test_a_name_that_somebody_else_gave_a_session_is_no_part_of_a_request(
    server: ScriptedPool, pool: SessionPool, identifier: str
) -> None:
    server.plan(Answer(204))
    assert await pool.release(0, identifier)
    assert set(server.seen[0].query) == {"api-version", "identifier"}
    assert server.seen[0].query["identifier"] == identifier.replace("\ud800", "?")


@pytest.mark.parametrize("token", ["t0\n", "t\u00e9", "\ud800"])
async def test_a_token_that_cannot_be_sent_is_a_matter_of_configuration(
    server: ScriptedPool, token: str
) -> None:
    async with open_sessions(pool_settings(server.url, pool_token=token), None) as pool:
        with pytest.raises(ConfigurationFault, match="JSWORKER_POOL_TOKEN"):
            await pool.execute(0, "s", "x", 10)


async def test_a_file_goes_up_and_comes_down_byte_for_byte(server: ScriptedPool, pool: SessionPool) -> None:
    data = bytes(range(256)) * 600
    server.plan(Answer(200, {}), Answer(200, data))
    await pool.upload(0, "s", "a b.bin", data)
    pieces = [piece async for piece in pool.download(0, "s", "a b.bin")]
    assert b"".join(pieces) == data
    assert data in server.seen[0].body
    assert b'filename="a b.bin"' in server.seen[0].body
    assert server.seen[1].path.endswith("/files/a b.bin/content")


async def test_a_file_that_the_session_has_not_is_told(server: ScriptedPool, pool: SessionPool) -> None:
    server.plan(Answer(404, error("FileNotFound")))
    with pytest.raises(SessionFileMissing):
        [piece async for piece in pool.download(0, "s", "a")]


@pytest.mark.parametrize("answer", [Answer(body=b"half", cut=True), Answer(drop=True), Answer(400)], ids=str)
async def test_a_file_that_does_not_come_whole_is_lost(
    server: ScriptedPool, pool: SessionPool, answer: Answer
) -> None:
    server.plan(answer)
    with pytest.raises(ExecutionLost):
        [piece async for piece in pool.download(0, "s", "a")]


async def test_files_that_are_left_halfway_keep_no_connection(
    server: ScriptedPool, pool: SessionPool
) -> None:
    """A permit has four."""
    server.plan(*[Answer(200, bytes(1 << 20))] * 5, Answer(200, b"whole"))
    for _ in range(5):
        async with aclosing(pool.download(0, "s", "a")) as pieces:
            assert await anext(pieces)
    assert [piece async for piece in pool.download(0, "s", "a")] == [b"whole"]


async def test_a_download_that_is_refused_renews_its_token_once(server: ScriptedPool) -> None:
    server.plan(Answer(401), Answer(200, b"data"))
    async with open_sessions(pool_settings(server.url, pool_token=None), Credential()) as pool:  # type: ignore[arg-type] # a fake
        assert [piece async for piece in pool.download(0, "s", "a")] == [b"data"]


async def test_no_fault_tells_the_whole_identifier(server: ScriptedPool, pool: SessionPool) -> None:
    identifier = "jsw-12345678-" + "a1" * 20
    text = f"Error happened when allocating pod for identifier {identifier}".encode()
    server.plan(Answer(500, text), Answer(503, text), Answer(400, text), Answer(403, text))
    for _ in range(4):
        with pytest.raises(Exception, match="session pool") as caught:
            await pool.execute(0, identifier, "x", 10)
        assert identifier not in str(caught.value)


async def test_an_execution_that_outlasts_its_time_is_lost(server: ScriptedPool, pool: SessionPool) -> None:
    server.plan(Answer(hang=True))
    with pytest.raises(ExecutionLost, match="never came"):
        await pool.execute(0, "s", "x", -24.9)
