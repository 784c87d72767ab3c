from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, NoReturn

import click
import pytest

from worker.batch import BatchError
from worker.cli.running import Failure, batch_name, output, run
from worker.faults import ConfigurationFault
from worker.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


async def done(status: int) -> int:
    return status


async def fails(error: BaseException) -> NoReturn:
    raise error


async def gets(number: int, seen: list[str]) -> NoReturn:
    try:
        signal.raise_signal(number)
        await asyncio.Event().wait()
        raise AssertionError
    finally:
        seen.append("cleaned up")


def test_the_exit_status_is_the_commands() -> None:
    with pytest.raises(SystemExit) as caught:
        run(done(3))
    assert caught.value.code == 3


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BatchError("no such batch"), 1),
        (ConfigurationFault("the queue is missing", "Create it"), 1),
        (SettingsError("JSWORKER_QUEUE: is wrong"), 2),
        (ExceptionGroup("", [ExceptionGroup("", [BatchError("deep")])]), 1),
        (FileNotFoundError(2, "No such file or directory", "x.jsonl"), 1),
    ],
)
def test_an_expected_failure_is_one_line_and_its_status(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Failure) as caught:
        run(fails(error))
    assert caught.value.exit_code == status
    caught.value.show()
    assert capsys.readouterr().err.startswith("jsworker: error: ")


def test_an_unexpected_failure_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        run(fails(ZeroDivisionError()))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_command_clean_up(number: int, status: int) -> None:
    seen: list[str] = []
    with pytest.raises(SystemExit) as caught:
        run(gets(number, seen))
    assert caught.value.code == status
    assert seen == ["cleaned up"]


def test_a_file_of_results_appears_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with output(out) as file:
        file.write("ü\n")
        assert not out.exists()
    assert out.read_text() == "ü\n"
    assert out.stat().st_mode & 0o044 == 0o044 & ~_umask()
    assert list(tmp_path.iterdir()) == [out]


def test_a_report_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("before")
    with pytest.raises(BatchError):
        _cut_report(out)
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with output(link) as file:
        file.write("through")
    assert link.is_symlink()
    assert target.read_text() == "through"


@pytest.mark.parametrize("name", ["", "a/b", "..", "a..b", "a.", "-a", "a\n", "x" * 129])
def test_a_batch_name_that_no_blob_can_carry_is_wrong_usage(name: str) -> None:
    context = click.Context(click.Command("x"))
    with pytest.raises(click.BadParameter):
        batch_name(context, click.Option(["--batch"]), name)


def _cut_report(out: Path) -> None:
    with output(out) as file:
        file.write("half")
        raise BatchError("cut")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
