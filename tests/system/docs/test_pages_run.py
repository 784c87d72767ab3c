"""What the pages tell to type works, and prints what they show."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import BlobServiceClient

from tests.contract.pool.processes import all_end, descendants
from tests.pages import PAGES, ROOT, blocks
from tests.system.docs.shell import SECONDS, Story, missing
from tests.system.worker.conftest import declare_queues
from tests.system.worker.processes import run, working
from worker.local.background import running
from worker.local.state import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORIES = [page for page in PAGES if any(block.is_run for block in blocks(page))]
SENDERS = ("jsworker submit", "jsworker regrade", "jsworker schedule trigger")  # what leaves jobs to a worker

pytestmark = pytest.mark.timeout(2 * SECONDS)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state of a local stack, for all pages that do not start one themselves."""
    folder = tmp_path_factory.mktemp("stack") / "state"
    declare_queues(folder, {"jobs": 60, "webhooks": 60})  # each page has a batch hw1: no duplicate detection
    up = run("local", "up", "--state", str(folder), "--max-sessions", "4")
    assert up.returncode == 0, up.stderr
    holder = StateDirectory(folder).holder()
    assert holder
    under = descendants(holder.pid)
    try:
        yield folder
    finally:
        down = run("local", "down", "--state", str(folder))
    assert (down.returncode, all_end(under)) == (0, True), down.stderr


def cleared(settings: dict[str, str]) -> dict[str, str]:
    """The settings, with all blobs of the page before removed."""
    with BlobServiceClient.from_connection_string(settings["JSWORKER_STORAGE_CONNECTION_STRING"]) as service:
        for container in map(service.get_container_client, ("submissions", "inputs", "results")):
            for name in container.list_blob_names():
                container.delete_blob(name)
    return settings


@pytest.mark.parametrize("page", STORIES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_tells_to_type_works_and_prints_what_it_shows(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    story = Story(tmp_path, blocks(page))
    story.prepare()
    if story.has("jsworker local up"):
        try:
            story.run({})
        finally:
            run("local", "down", "--state", str(tmp_path / ".jsworker"))
    else:
        shared = request.getfixturevalue("state")
        (tmp_path / ".jsworker").symlink_to(shared)
        settings = cleared(running(shared) or {})
        served = working(settings, tmp_path / "worker.log") if story.has(*SENDERS) else nullcontext()
        with served:
            story.run(settings)
    assert story.differences() == []


def test_a_line_that_is_not_printed_is_found() -> None:
    printed = ["hw1: 12 jobs submitted", "ID    STATUS", "a1    succeeded   0.31"]
    assert missing(["hw1: 3 jobs submitted", "a1 succeeded 0.02"], printed) == []
    assert missing(["a1 succeeded 0.02", "hw1: 3 jobs submitted"], printed) == ["hw1: 3 jobs submitted"]
    assert missing(["hw1: 3 jobs sent", "ID …"], printed) == ["hw1: 3 jobs sent"]
