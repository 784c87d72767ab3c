"""What the commands share: how they run, how they fail, and options that several have."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import signal
import sys
import tempfile
from contextlib import contextmanager, redirect_stderr
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TextIO, cast

import click

from worker import log
from worker.batch import BatchError
from worker.cases_folder import CasesError
from worker.cli import stack
from worker.faults import SchedulesError, ServiceFault
from worker.names import is_batch_name
from worker.report import printable
from worker.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

PATH = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
UNDONE, MISUSED, SHORT = 1, 2, 3
INTERRUPTED = 128 + signal.SIGINT


def _of_the_local_stack() -> tuple[type[Exception], ...]:
    """What it raises, in words for people; the worker's image is without one."""
    return (import_module("worker.local.supervised").StackError,) if stack.is_there() else ()


TOLD: tuple[type[Exception], ...] = (
    BatchError,
    CasesError,
    SchedulesError,
    ServiceFault,
    *_of_the_local_stack(),
)
EXPECTED: tuple[type[Exception], ...] = (SettingsError, OSError, *TOLD)


class Failure(click.ClickException):
    """An expected failure: one line that says what to do."""

    exit_code = UNDONE

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it as programs do, whose output may be mixed with that of others; names may be anything."""
        lines = [printable(line) for line in self.message.split("\n")]
        click.echo("jsworker: error: " + "\n".join(lines), file=file, err=True)


class Misused(Failure):
    """The settings cannot be used."""

    exit_code = MISUSED


def run(main: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command's coroutine and exit with the status it returns.

    The first SIGINT or SIGTERM cancels it, so that it cleans up.

    Raises:
        Failure: what was expected to go wrong, in words.
    """
    with failures():
        try:
            status = asyncio.run(_terminable(main))
        except KeyboardInterrupt:
            status = INTERRUPTED
        except asyncio.CancelledError:
            status = 128 + signal.SIGTERM
    raise SystemExit(status)


@contextmanager
def failures() -> Iterator[None]:
    """Turn what was expected to go wrong into ``Failure``; all else stays what it is."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise _failure(_first(group)) from group
    except EXPECTED as error:
        raise _failure(error) from error


def quiet_logs() -> None:
    """Only what is wrong is logged, for commands that people look at."""
    log.configure("console", "ERROR")


def log_to(path: Path) -> None:
    """Send the logs of this process to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with redirect_stderr(path.open("a", encoding="utf-8", buffering=1)):  # configure() takes it from there
        log.configure("json", "INFO")


@contextmanager
def output(path: Path | None) -> Iterator[TextIO]:
    """Where results go: stdout, or a file that appears when it is complete."""
    if path is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        yield sys.stdout
        sys.stdout.flush()
    elif path.is_symlink() or (path.exists() and not path.is_file()):
        with path.open("w", encoding="utf-8") as file:  # a device or a pipe must not be replaced
            yield file
    else:
        with _replacing(path) as file:
            yield file


def examples(*lines: str) -> str:
    """An epilog of examples, each on its line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def batch_name(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Check the name of a batch."""
    if value is not None and (not is_batch_name(value)):
        raise click.BadParameter("a name has letters, digits, '.', '_' and '-', at most 128, no '..'")
    return value


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A file beside the one wanted, which takes its place when all is written."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - mkstemp gives a descriptor
            yield file
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)  # mkstemp's own mode lets only the owner read
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


async def _terminable(main: Coroutine[Any, Any, int]) -> int:
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await main


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _failure(error: BaseException) -> BaseException:
    match error:
        case SettingsError():
            return Misused(str(error))
        case _ if isinstance(error, TOLD):
            return Failure(str(error))
        case OSError() if error.errno is not None and error.errno != errno.EPIPE:
            return Failure(f"{error.filename or 'I/O'}: {error.strerror}")
    return error
