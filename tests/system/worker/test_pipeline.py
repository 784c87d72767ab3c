"""The example pipeline as its page tells to run it: an upload becomes charts, and a webhook says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.system.worker.processes import working
from tests.system.worker.services import Services, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "pipeline"
STEPS = 5  # cleaning, three charts, and the join


@contextmanager
def receiving(folder: Path) -> Iterator[str]:
    """The example's receiver; its address."""
    command = [sys.executable, str(EXAMPLE / "receiver.py"), str(folder), "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def settings(services: Services, folder: Path, address: str) -> dict[str, str]:
    routes = folder / "routes.yaml"
    routes.write_text((EXAMPLE / "routes.yaml").read_text().replace("https://localhost:8443", address))
    return {
        **services.environment,
        "JSWORKER_QUEUE": "pipeline",
        "JSWORKER_ROUTES": str(routes),
        "JSWORKER_EVENTS_TO": "queue:pipeline-events",
        "JSWORKER_WEBHOOKS_QUEUE": "pipeline-hooks",
        "JSWORKER_WEBHOOK_HOSTS": "localhost",
        "JSWORKER_WEBHOOK_SECRET": (folder / "secret").read_text(),
        "JSWORKER_WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8,::1/128",
        "JSWORKER_WEBHOOK_CA_FILE": str(folder / "ca.pem"),
    }


def received(folder: Path) -> list[dict[str, Any]]:
    file = folder / "received.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_an_uploaded_file_is_cleaned_charted_and_announced(services: Services, tmp_path: Path) -> None:
    with receiving(tmp_path) as address:
        given = settings(services, tmp_path, address)
        upload = [sys.executable, str(EXAMPLE / "upload.py")]
        subprocess.run(upload, env={**os.environ, **given}, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        with working(given, tmp_path / "worker.log"):
            eventually(lambda: received(tmp_path))
            eventually(lambda: len(services.waiting("pipeline-events")) == STEPS)
    (event,) = received(tmp_path)
    assert (event["type"], event["data"]["status"]) == ("io.jsworker.job.completed", "succeeded")
    told = services.blob(event["data"]["result_blob"])
    assert json.loads(told)["stdout"]["text"].splitlines() == [
        "north: 1737 in 5 bars",
        "south: 375 in 5 bars",
        "west: 315 in 5 bars",
    ]
    assert len({message.message_id for message in services.waiting("pipeline-events")}) == STEPS
