"""The client without asyncio, as far as it needs no services."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path

import pytest

from worker import Client, ClientSettings

NOWHERE = ClientSettings.model_validate(
    {
        "servicebus_connection_string": "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=k",
        "storage_connection_string": "UseDevelopmentStorage=true",
    }
)


def is_waiting(thread: int) -> bool:
    """Whether a thread is in the client's call, and there waits for a result."""
    frame = sys._current_frames().get(thread)
    codes = []
    while frame:
        codes.append(frame.f_code)
        frame = frame.f_back
    return (Future.result.__code__, Client.call.__code__) in pairwise(codes)


def test_what_an_interrupted_caller_waited_for_does_not_go_on() -> None:
    ended, caller = threading.Event(), threading.get_ident()

    async def endless() -> None:
        try:
            while not is_waiting(caller):  # noqa: ASYNC110 - threads of others set no event
                await asyncio.sleep(0)
            signal.pthread_kill(caller, signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            ended.set()

    with Client(NOWHERE) as client:
        with pytest.raises(KeyboardInterrupt):
            client.call(endless)
        assert ended.wait(10)


def test_one_path_is_not_taken_for_several() -> None:
    with Client(NOWHERE) as client:
        for path in ("/", Path("/")):
            with pytest.raises(TypeError, match="not one path but several"):
                client.submit_programs(path, batch="b")  # type: ignore[arg-type] # as programs without types do


def test_what_is_no_name_of_a_blob_is_not_asked_for() -> None:
    with Client(NOWHERE) as client:
        for name in ("results", "results/", "results/../other/x"):
            with pytest.raises(ValueError, match="is no name of a blob: it must"):
                client.read(name)
