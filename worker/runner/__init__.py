"""Programs as fresh Node processes inside a session: the code that is sent and the answer that comes back."""

from worker.runner.frame import (
    Answer,
    Collected,
    Content,
    FrameError,
    Problem,
    RunAnswer,
    StoredAnswer,
    parse_frame,
    parse_stored,
)
from worker.runner.script import Program, RunSpec, Source, Uploaded, build_script

__all__ = [
    "Answer",
    "Collected",
    "Content",
    "FrameError",
    "Problem",
    "Program",
    "RunAnswer",
    "RunSpec",
    "Source",
    "StoredAnswer",
    "Uploaded",
    "build_script",
    "parse_frame",
    "parse_stored",
]
