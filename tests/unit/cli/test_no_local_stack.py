"""The commands of an installation without the local stack, as the worker's image is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).parents[3] / "worker"


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A folder with the package, its local stack aside."""
    package = tmp_path / "worker"
    package.mkdir()
    for entry in WORKER.iterdir():
        if entry.name not in {"local", "__pycache__"}:
            (package / entry.name).symlink_to(entry)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("local", "up", "--foreground"), 1, "there is no local stack in this installation"),
        (("grade", "--local", "."), 1, "there is no local stack in this installation"),
        (("top", "--local"), 1, "there is no local stack in this installation"),
        (("top",), 1, "no worker"),
        (("run",), 2, "JSWORKER_POOL_ENDPOINT: is required"),
    ],
)
def test_what_needs_the_local_stack_says_that_there_is_none_and_the_rest_works(
    installation: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    (installation / "program.js").write_text("")
    ended = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-P", "-m", "worker.cli", *arguments],
        env={"PATH": os.defpath, "PYTHONPATH": str(installation)},
        cwd=installation,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
