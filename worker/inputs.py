"""What a job runs on, fetched from Blob storage and checked before a session is taken."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from worker.bounds import bounds_of
from worker.case import CasesFile, InlineCases
from worker.case_rules import consistent
from worker.cases import harness_run, wanted_runs
from worker.cases_file import checked, completed, load_cases
from worker.faults import JobRejected
from worker.model import Blob, BlobFile, CodeBlob, PinnedBlob
from worker.sources import Sources, content_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from worker.bounds import Bounds
    from worker.cases import WantedRun
    from worker.job import Job
    from worker.model import Code, File, Text
    from worker.settings import WorkerSettings

Placed = tuple[tuple[str, bytes], ...]
NO_CASES = CasesFile(version=1)
CACHE_BYTES = 32 << 20


@dataclass(frozen=True)
class Content:
    """A blob's bytes and the ETag they were read under."""

    data: bytes
    etag: str


class Reads(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content: ...  # noqa: D102


@dataclass(frozen=True)
class Run:
    """One process of the program: what it may use and what it is given.

    Attributes:
        files: what lies over the program's own files.
        needs_exit_code: the runs after it are of use only if it exits with this code; None: in any case.
    """

    bounds: Bounds
    stdin: bytes | None = None
    args: tuple[str, ...] = ()
    files: Placed = ()
    needs_exit_code: int | None = None


@dataclass(frozen=True)
class Executable:
    """A program as it is started in a session.

    Attributes:
        files: what lies beside it, by path.
        links: which of it has a second name: that, and its path.
        collect: what to bring back of its folder after each run.
        reports: the style of a harness; None for a program that reports nothing but its output.
    """

    code: bytes
    file_name: str = "main.js"
    files: Placed = ()
    links: tuple[tuple[str, str], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    collect: tuple[str, ...] = ()
    reports: Literal["node-test", "json"] | None = None


@dataclass(frozen=True)
class Inputs:
    """All that a job's session is given, as bytes; a run for each case, or one where nothing asks for more.

    Attributes:
        code: the submission. With a harness it is one of the files of the ``program``.
        asked: the job's cases and how they are run; none in a job without them.
        checker: the program that judges what no comparator can.
    """

    code: bytes
    program: Executable
    runs: tuple[Run, ...]
    asked: CasesFile = NO_CASES
    checker: Executable | None = None

    @property
    def code_sha256(self) -> str:
        """The digest of the submission, hexadecimal."""
        return hashlib.sha256(self.code).hexdigest()


class CodeCache:
    """Programs by blob and ETag: a batch that shares one pinned program reads it once."""

    def __init__(self, blobs: Reads, capacity: int = CACHE_BYTES) -> None:
        self._blobs, self._capacity = blobs, capacity
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._size = 0

    async def read(self, blob: str, *, limit: int, etag: str | None) -> bytes:
        """The blob's bytes, from memory if this version was read before; raises as ``Blobs.read`` does."""
        kept = self._kept.get((blob, etag)) if etag else None
        if kept is not None:
            return kept
        content = await self._blobs.read(blob, limit=limit, etag=etag)
        if etag:
            self._keep((blob, etag), content.data)
        return content.data

    def _keep(self, key: tuple[str, str], data: bytes) -> None:
        self._size += len(data) - len(self._kept.pop(key, b""))
        self._kept[key] = data
        while self._size > self._capacity:
            self._size -= len(self._kept.popitem(last=False)[1])


class InputFetcher:
    """Fetches a job's inputs; every fault of the job's own is a ``JobRejected`` that names the field."""

    def __init__(self, blobs: Reads, settings: WorkerSettings) -> None:
        self._sources, self._settings = Sources(CodeCache(blobs), settings), settings

    def check(self, job: Job) -> None:
        """Refuse what the worker's limits and its allow-list of containers refuse; nothing is fetched."""
        for where, blob in _blobs_of(job):
            self._sources.check_container(where, blob)
        if job.cases and job.mode == "cell":
            raise JobRejected("invalid_job", "cases need the mode 'program'", "cases")
        bounds_of(job.limits, "limits", self._settings)

    async def fetch(self, job: Job) -> Inputs:
        """Read what the job refers to."""
        asked = await self._cases(job)
        wanted = [harness_run(job, asked)] if asked.harness else list(wanted_runs(job, asked.cases))
        bounds = [bounds_of(run.limits, f"{run.field}limits", self._settings) for run in wanted]
        code = await self._sources.program(job.code, "code")
        given = await self._given(job, wanted)
        runs = tuple(
            Run(limits, None if run.stdin is None else given[run.stdin], run.args, _placed(run.files, given))
            for run, limits in zip(wanted, bounds, strict=True)
        )
        program = await self._program(job, code, _placed(job.files, given), asked)
        checker = await self._executable(asked.checker, "cases.checker") if asked.checker else None
        return Inputs(code, program, _stopping(runs, asked), asked, checker)

    async def _cases(self, job: Job) -> CasesFile:
        if isinstance(job.cases, PinnedBlob):
            limit = self._settings.max_cases_bytes
            return load_cases(await self._sources.blob(job.cases.blob, "cases", limit, job.cases.etag))
        if isinstance(job.cases, InlineCases):
            return completed(job.cases.inline)
        return consistent(CasesFile(version=1, cases=checked(job.cases or ())))

    async def _program(self, job: Job, code: bytes, files: Placed, asked: CasesFile) -> Executable:
        """What is started: the submission, or the harness with the submission beside it."""
        if asked.harness is None:
            return Executable(code, _file_name(job.code), files, env=job.env, collect=job.collect)
        harness = await self._executable(asked.harness.code, "cases.harness.code")
        name, path = asked.harness.submission, job.code.path or ""
        # One that lies in a folder stays there, for the sake of what it loads by relative names.
        is_below = "/" in path and path != name
        return replace(
            harness,
            files=(*files, (path if is_below else name, code)),
            links=((name, path),) if is_below else (),
            env=job.env,
            collect=job.collect,
            reports=asked.harness.style,
        )

    async def _executable(self, code: Code, where: str) -> Executable:
        return Executable(await self._sources.program(code, where), _file_name(code))

    async def _given(self, job: Job, runs: Sequence[WantedRun]) -> dict[Text, bytes]:
        """What lies beside the program, and what its runs are given, which is read and counted once."""
        given: dict[Text, bytes] = {}
        left = self._settings.max_input_bytes
        for where, text in _texts_of(job, runs):
            is_new = text not in given
            if is_new:
                given[text] = await self._sources.text(text, where)
            if is_new or where.startswith("files."):
                left -= len(given[text])
            if left < 0:
                limit = self._settings.max_input_bytes
                raise JobRejected("limit_exceeded", f"files and stdin have over {limit} bytes", "files")
        return given


def _blobs_of(job: Job) -> Iterable[tuple[str, str]]:
    if isinstance(job.code, CodeBlob):
        yield "code.blob", job.code.blob
    if isinstance(job.stdin, Blob):
        yield "stdin.blob", job.stdin.blob
    if isinstance(job.cases, PinnedBlob):
        yield "cases.blob", job.cases.blob
    for index, file in enumerate(job.files):
        if isinstance(file, BlobFile):
            yield f"files.{index}.blob", file.blob


def _texts_of(job: Job, runs: Sequence[WantedRun]) -> Iterable[tuple[str, Text]]:
    for where, files in (("", job.files), *((run.field, run.files) for run in runs)):
        for index, file in enumerate(files):
            yield f"{where}files.{index}", content_of(file)
    for run in runs:
        if run.stdin is not None:
            yield f"{run.field}stdin", run.stdin


def _placed(files: Sequence[File], given: Mapping[Text, bytes]) -> Placed:
    return tuple((file.path, given[content_of(file)]) for file in files)


def _stopping(runs: tuple[Run, ...], asked: CasesFile) -> tuple[Run, ...]:
    """The runs, each of which ends them all where its end alone is a failure, if asked for."""
    if not asked.stop_at_first_failure:
        return runs
    codes = [case.expect.exit_code or 0 for case in asked.cases]
    return tuple(replace(run, needs_exit_code=code) for run, code in zip(runs, codes, strict=True))


def _file_name(code: Code) -> str:
    """Where it is said to lie, else at the top.

    Node goes by the extension where there is one that means something, and by the content of a ``.js``.
    """
    if code.path:
        return code.path
    blob = code.blob if isinstance(code, CodeBlob) else ""
    extension = blob.rpartition(".")[2]
    return f"main.{extension}" if extension in {"mjs", "cjs"} else "main.js"
