"""``jsworker top`` and whatever answers where it looks."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from aiohttp import web
from click.testing import CliRunner

from tests.contract.health.terminal import CTRL_C, Terminal
from tests.system.worker.processes import run
from worker.cli import looking
from worker.cli.looking import ask
from worker.cli.running import Failure
from worker.cli.top import command
from worker.gauges import LiveParts
from worker.health import serve_health
from worker.permits import Permits
from worker.recent import Recent
from worker.status import StatusSource
from worker.vitals import Vitals

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator

ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
AT = (
    '{"version": "0", "instance": "i", "started_at": "%s", "at": "2026-01-05T09:10:00Z", "gauges": {"slots": '
    '{"open": 1, "busy": 0}, "permits": {"held": 1, "limit": 1, "in_use": 0, "waiting": 0}, "sessions": '
    '{"allocated": 0, "busy": 0, "kept": 0, "quarantined": 0}, "breakers": {}, "ready": true, "reasons": []}'
    ', "rates": {"total": 0, "by_status": {}, "per_second_10s": 0, "per_second_60s": 0, "each_second": []}, '
    '"phases": {"execute": {"jobs": 1, "p50_ms": %s, "p95_ms": 1}}, "recent": []}'
)
HIDDEN_CURSOR, SHOWN_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


@asynccontextmanager
async def worker(port: int = 0, instance: str = "worker-7") -> AsyncIterator[int]:
    """What a worker answers that is just starting."""
    vitals = Vitals()
    status = StatusSource(LiveParts(vitals, Permits(2)), Recent(), instance)
    async with serve_health(vitals, port, status.read, host="127.0.0.1") as served:
        assert served
        yield served


@asynccontextmanager
async def answering(body: str, status: int = 200) -> AsyncIterator[str]:
    """The URL of a server that answers everything in this way."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status)

    app = web.Application()
    app.router.add_get("/status", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def top(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(run, "top", *arguments, settings=settings)


async def test_without_a_terminal_it_prints_what_there_is_to_see_once_as_plain_text() -> None:
    async with worker() as port:
        shown = await top(JSWORKER_HEALTH_PORT=str(port), http_proxy="http://127.0.0.1:9")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("worker-7  jsworker ")
    assert "the worker is starting" in shown.stdout
    assert "permits: 0 of 2 in use" in shown.stdout
    assert "\x1b" not in shown.stdout


async def test_a_document_of_a_worker_is_taken() -> None:
    async with (
        answering(AT % ("2026-01-05T09:00:00Z", 1)) as url,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        assert (await ask(client, url))["instance"] == "i"


async def test_json_is_the_document_itself() -> None:
    async with worker() as port:
        printed = await top("--json", "--url", f"127.0.0.1:{port}")
    assert (printed.returncode, printed.stderr) == (0, "")
    document = json.loads(printed.stdout)
    assert (document["instance"], document["gauges"]["permits"]["held"]) == ("worker-7", 2)
    assert printed.stdout.count("\n") == 1


async def test_where_no_worker_answers_it_says_what_to_do() -> None:
    async with worker() as port:
        pass
    ended = await top("--once", "--url", f"http://127.0.0.1:{port}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"no worker answers at http://127.0.0.1:{port}" in ended.stderr
    assert "JSWORKER_HEALTH_PORT" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ('{"status": "refused", "reasons": ["asked from \\u001b[2J"]}', 403, "refuses: asked from \\x1b[2J;"),
        ("no", 403, "refuses: no reason is given"),
        ("404: Not Found", 404, "is no worker that tells its status (HTTP 404)"),
        ('{"version": "9"}', 200, "is no worker that tells its status (HTTP 200, another version)"),
        (AT % ("0001-01-01T00:00:00Z", 1), 200, "another version"),
        (AT % ("2026-01-05T09:00:00", 1), 200, "another version"),
        (AT % ("2026-01-05T09:00:00Z", "NaN"), 200, "is no worker that tells its status (HTTP 200)"),
        ("[" * 100_000, 200, "is no worker that tells its status (HTTP 200)"),
        ("x" * (5 << 20), 200, "says too much to be a worker"),
    ],
)
async def test_what_is_no_worker_of_ours_is_told_from_one(
    body: str, status: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with answering(body, status) as url, httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(Failure) as failure:
            await ask(client, url)
    failure.value.show()
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://", "http://[", "http://here:port"])
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    ended = CliRunner().invoke(command, ["--url", url])
    assert ended.exit_code == 2
    assert "is no address like http://127.0.0.1:8080" in ended.output


async def test_an_answer_that_goes_on_and_on_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SECONDS", 0.3)

    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    runner = web.ServerRunner(web.Server(drip), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(Failure, match=r"no worker answers at .* \(TimeoutError\)"):
            await ask(client, f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


async def test_it_keeps_looking_for_a_worker_that_went_away_and_leaves_the_terminal_as_it_was() -> None:
    with ExitStack() as stack:
        async with worker() as port:
            arguments = ("top", "--interval", "0.1", "--url", f"http://127.0.0.1:{port}")
            terminal = stack.enter_context(Terminal(*arguments))
            await asyncio.to_thread(terminal.until, "worker-7")
            assert ENTERED in terminal.written
        await asyncio.to_thread(terminal.until, "not reachable since")
        async with worker(port, "worker-8"):
            await asyncio.to_thread(terminal.until, "worker-8")
            terminal.press(CTRL_C)
            assert await asyncio.to_thread(terminal.status) == 130
        assert terminal.is_as_before
    after = terminal.written[terminal.written.rindex(LEFT) :]
    assert b"worker" not in after
    assert b"Traceback" not in terminal.written
    assert terminal.written.rindex(SHOWN_CURSOR) > terminal.written.rindex(HIDDEN_CURSOR)
