"""The code that one execution sends to a session: the runner, and what it has to run."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Literal

INLINE_BYTES = 64 * 1024
INLINE_IN_ALL_BYTES = 4 << 20  # of all contents of an answer, which is held in memory
PARTS = ("runner", "processes", "leftovers", "tools")
KEY_CHARS = 32


@dataclass(frozen=True)
class Uploaded:
    """A file that lies in the session's data folder already, by its flat name."""

    name: str

    def __post_init__(self) -> None:
        if "/" in self.name or "\0" in self.name or self.name in {"", ".", ".."}:
            raise ValueError(f"not a flat name: {self.name!r}")


Source = bytes | Uploaded


@dataclass(frozen=True)
class RunSpec:
    """One process: what it gets and what it may use.

    Attributes:
        memory_mb: what the program may take beside an empty Node process, in MiB.
        output_bytes: the bound of each of its two streams.
        files: what lies over the program's files, by path.
        needs_exit_code: the runs after it are run if it exits with this code; None: however it ends.
    """

    timeout_seconds: float
    memory_mb: int
    output_bytes: int
    stdin: Source | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: tuple[tuple[str, Source], ...] = ()
    needs_exit_code: int | None = None


@dataclass(frozen=True)
class Program:
    """A program and the runs of it, each in a fresh folder and a fresh process.

    Attributes:
        file_name: where it lies itself, by path relative to its folder.
        files: what lies beside it, likewise.
        links: what lies beside a harness under a second name: that, and the path of the file.
        collect: what to bring back after each run, by path relative to its folder.
        collect_bytes: the bound of each collected file.
        reports: the style in which it reports tests, over a socket of its own; None for one that does not.
    """

    code: Source
    runs: tuple[RunSpec, ...]
    file_name: str = "main.js"
    files: tuple[tuple[str, Source], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    collect: tuple[str, ...] = ()
    collect_bytes: int = 16 * 1024 * 1024
    reports: Literal["node-test", "json"] | None = None


def build_script(program: Program, *, nonce: str, frame_chars: int, data_dir: str = "/mnt/data") -> str:
    """Make the code, in ASCII, whose answer comes as one frame on the kernel's stdout.

    Args:
        program: what to run.
        nonce: a secret of this execution, of letters and digits: the frame is known by it.
        frame_chars: the longest frame that arrives whole; an answer that is longer is left as a flat file.
        data_dir: the folder that the files API of the session serves; without it the session's temporary one.
    """
    spec = {
        "nonce": nonce,
        "prefix": file_prefix(nonce),
        "root": data_dir,
        "frame_chars": frame_chars,
        "inline_bytes": max(INLINE_BYTES, frame_chars * 3 // 8),
        "spare": INLINE_IN_ALL_BYTES,
        "main": program.file_name,
        "code": _source(program.code),
        "files": _files(program.files),
        "collect": program.collect,
        "collect_bytes": program.collect_bytes,
        "runs": [_run(run) for run in program.runs],
        "harness": program.reports and _harness(program.reports, program.links),
    }
    # A JavaScript literal would take "__proto__" for a prototype, JSON.parse does not.
    return f"{_runner(reports=program.reports is not None)}(JSON.parse({json.dumps(json.dumps(spec))}));"


def file_prefix(nonce: str) -> str:
    """Return what the names of the files begin with that the answer to this nonce may name.

    Programs see these names, so they must not tell the nonce.
    """
    return "jsw-" + hashlib.sha256(nonce.encode()).hexdigest()[:16]


def _run(run: RunSpec) -> dict[str, object]:
    return {
        "stdin": None if run.stdin is None else _source(run.stdin),
        "args": run.args,
        # A child that finds a channel's number takes one of its files for the channel of its parent.
        "env": {name: value for name, value in run.env.items() if name != "NODE_CHANNEL_FD"},
        "timeout_ms": round(run.timeout_seconds * 1000),
        "memory_mb": run.memory_mb,
        "output_bytes": run.output_bytes,
        "files": _files(run.files),
        "needs_exit_code": run.needs_exit_code,
    }


def _harness(style: str, links: tuple[tuple[str, str], ...]) -> dict[str, object]:
    """What runs before a harness, and the key by which its report is known."""
    preload = "\n".join(_text(f"preload/{part}.js") for part in ("channel", style))
    return {
        "preload": base64.b64encode(preload.encode()).decode(),
        "key": secrets.token_hex(KEY_CHARS // 2),
        "links": links,
    }


def _files(files: tuple[tuple[str, Source], ...]) -> list[dict[str, str]]:
    return [{"path": path, **_source(content)} for path, content in files]


def _source(content: Source) -> dict[str, str]:
    if isinstance(content, Uploaded):
        return {"name": content.name}
    return {"inline": base64.b64encode(content).decode()}


@cache
def _runner(*, reports: bool) -> str:
    body = "\n".join(_text(f"{part}.js") for part in (*PARTS, *(["reports"] if reports else [])))
    return f'(function (spec) {{"use strict";\n{body}\nmain().then(answer).catch(failure).then(send);\n}})'


@cache
def _text(name: str) -> str:
    """A source without its comment lines."""
    text = resources.files(__package__).joinpath(name).read_text("ascii")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
