"""Headless Chromium, driven over its DevTools protocol: what a page shows, asks for and complains of."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40}
_SECONDS = 40
_MAX_MESSAGE = 256 << 20


class Devtools:
    """The connection: commands by number, events by the page they are of."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.pages: dict[str, Page] = {}

    async def listen(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame.data)
            if "id" in message:
                self._replies.pop(message["id"]).set_result(message)
            elif page := self.pages.get(message.get("sessionId", "")):
                page.heard(message["method"], message["params"])

    async def call(self, method: str, page: str | None = None, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        self._replies[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json({**message, "sessionId": page} if page else message)
        reply = await asyncio.wait_for(self._replies[number], _SECONDS)
        assert "error" not in reply, f"{method}: {reply.get('error')}"
        result: dict[str, Any] = reply["result"]
        return result


@dataclass
class Page:
    """A tab. ``requests`` are the addresses it asked for, ``complaints`` what its console and policy said."""

    devtools: Devtools
    session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    loaded: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, event: str, details: dict[str, Any]) -> None:
        match event:
            case "Page.loadEventFired":
                self.loaded.set()
            case "Page.javascriptDialogOpening":
                self.dialogs.append(details["message"])
            case "Network.requestWillBeSent":
                self.requests.append(details["request"]["url"])
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded":
                self.complaints.append(json.dumps(details))

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return await self.devtools.call(method, self.session, **parameters)

    async def open(self, address: str) -> None:
        self.loaded.clear()
        await self.call("Page.navigate", url=address)
        await asyncio.wait_for(self.loaded.wait(), _SECONDS)

    async def run(self, script: str) -> Any:  # noqa: ANN401 - whatever the script makes
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def texts(self, selector: str) -> list[str]:
        """The text of each element that is laid out."""
        found: list[str] = await self.run(
            f"Array.from(document.querySelectorAll({json.dumps(selector)}))"
            ".filter((e) => e.getClientRects().length).map((e) => e.textContent)"
        )
        return found

    async def click(self, selector: str) -> None:
        """Press the mouse on the middle of an element."""
        box = await self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            " return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **box)

    async def press(self, *keys: str) -> None:
        for key in keys:
            code = {"windowsVirtualKeyCode": _KEYS[key]} if key in _KEYS else {}
            text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
            await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **code, **text)
            await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    async def look(self, *, media: str = "", scheme: str = "light") -> None:
        """Show it as on paper (``print``), or in light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", media=media, features=features)

    async def resize(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)

    async def picture(self, *, whole: bool = False) -> bytes:
        """A PNG of what is in view, or of the whole page."""
        answer = await self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    async def pdf(self) -> bytes:
        answer = await self.call("Page.printToPDF", preferCSSPageSize=True)
        return base64.b64decode(answer["data"])


def executable() -> str:
    """Chromium.

    Raises:
        FileNotFoundError: it is not installed.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise FileNotFoundError("Chromium is missing: run deploy/setup/chromium.sh")
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Devtools]:
    """A browser of its own, with nothing from before and nothing left after."""
    with tempfile.TemporaryDirectory(prefix="jsworker-chromium-", ignore_cleanup_errors=True) as home:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = (executable(), *_FLAGS, *root, f"--user-data-dir={home}", "about:blank")
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        child = await asyncio.create_subprocess_exec(*command, stdout=null, stderr=pipe, env=_environ(home))
        assert child.stderr
        try:
            address = await asyncio.wait_for(_address(child.stderr), _SECONDS)
            async with _connected(address, child.stderr) as devtools:
                yield devtools
                await devtools.call("Browser.close")
                await asyncio.wait_for(child.wait(), _SECONDS)
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


@asynccontextmanager
async def page(devtools: Devtools) -> AsyncIterator[Page]:
    """A new tab, whose console, dialogs and requests are watched from its first moment."""
    target = (await devtools.call("Target.createTarget", url="about:blank"))["targetId"]
    session = (await devtools.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
    tab = devtools.pages[session] = Page(devtools, session)
    for domain in ("Page", "Runtime", "Log", "Network"):
        await tab.call(f"{domain}.enable")
    await tab.resize(1280)
    yield tab
    await devtools.call("Target.closeTarget", targetId=target)
    del devtools.pages[session]


def _environ(home: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": home, "TZ": "UTC", "LANG": "C.UTF-8"}


async def _address(stderr: asyncio.StreamReader) -> str:
    said = []
    async for line in stderr:
        said.append(line.decode(errors="replace"))
        if "DevTools listening on " in said[-1]:
            return said[-1].rpartition(" ")[2].strip()
    raise RuntimeError(f"Chromium did not start:\n{''.join(said)}")


@asynccontextmanager
async def _connected(address: str, stderr: asyncio.StreamReader) -> AsyncIterator[Devtools]:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(address, max_msg_size=_MAX_MESSAGE) as socket,
    ):
        devtools = Devtools(socket)
        duties = [asyncio.create_task(devtools.listen()), asyncio.create_task(_drained(stderr))]
        try:
            yield devtools
        finally:
            for duty in duties:
                duty.cancel()
            await asyncio.gather(*duties, return_exceptions=True)


async def _drained(stderr: asyncio.StreamReader) -> None:
    """Nobody reads what it logs, and it must not wait for that."""
    while await stderr.read(1 << 16):
        pass
