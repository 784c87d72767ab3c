import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.pool.processes import all_end, descendants

ROOT = Path(__file__).parents[3]
DETACHED = """const child = require('child_process').spawn(process.execPath,
  ['-e', 'setInterval(() => {}, 1e6)'], { detached: true, stdio: 'ignore' }); child.unref(); 'started'"""

BOMB = """$$.async();
const refused = () => $$.done(true);
for (let n = 0; n < 60; n++) {
  require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
    .on('error', refused).on('exit', refused);
}"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        Path(name, "token").write_text("t\n")
        yield Path(name)


@contextmanager
def pool(
    folder: Path, *options: str, become: tuple[str, ...] = ()
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [
        *become,
        sys.executable,
        "-m",
        "worker.local.pool",
        "--token-file",
        str(folder / "token"),
        *options,
    ]
    env = {**os.environ, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=-1, stderr=-1) as process:  # noqa: S603 - ours
        try:
            assert process.stdout
            ready = process.stdout.readline()
            assert ready, process.communicate()[1]
            yield process, json.loads(ready)["endpoint"]
        finally:
            process.kill()


def execute(endpoint: str, code: str, identifier: str = "test") -> str:
    url = f"{endpoint}/executions?api-version=2024-10-02-preview&identifier={identifier}"
    headers = {"Authorization": "Bearer t", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps({"code": code}).encode(), headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
        return str(json.load(response)["result"]["executionResult"])


def start_loop(endpoint: str) -> None:
    """Keep a kernel busy and return once it is; its execution never ends."""

    def run() -> None:
        with contextlib.suppress(OSError):
            execute(endpoint, "fs.writeFileSync('busy', ''); while (true);", "loop")

    threading.Thread(target=run, daemon=True).start()
    url = f"{endpoint}/files/busy?api-version=2024-10-02-preview&identifier=loop"
    request = urllib.request.Request(url, headers={"Authorization": "Bearer t"})  # noqa: S310 - our own
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request):  # noqa: S310 - as above
            return
    pytest.fail("the loop did not start")


def test_a_terminated_pool_ends_its_sessions_at_once_and_exits_with_zero(folder: Path) -> None:
    with pool(folder) as (process, endpoint):
        assert execute(endpoint, DETACHED) == "'started'"
        under = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert len(under) >= 3
        assert all_end(under)


def test_a_killed_pool_leaves_no_process_behind(folder: Path) -> None:
    with pool(folder, "--spares", "2") as (process, endpoint):
        assert execute(endpoint, DETACHED) == "'started'"
        assert execute(endpoint, DETACHED, "other") == "'started'"
        start_loop(endpoint)
        under = descendants(process.pid)
        process.kill()
        process.wait()
        assert len(under) >= 8
        assert all_end(under)


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_it_runs_as_an_ordinary_user_too(folder: Path) -> None:
    become = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    check = [*become, sys.executable, "-c", "import worker.local.pool"]
    if subprocess.run(check, cwd=ROOT, check=False, capture_output=True).returncode != 0:  # noqa: S603 - fixed
        pytest.skip("an ordinary user cannot read this checkout")
    with pool(folder, become=become) as (process, endpoint):
        assert execute(endpoint, "process.getuid()") == "1000"
        assert execute(endpoint, DETACHED) == "'started'"
        assert execute(endpoint, BOMB) == "true"
        under = descendants(process.pid)
        process.kill()
        process.wait()
        assert len(under) >= 3
        assert all_end(under)


def test_without_its_tools_it_says_what_to_install(folder: Path) -> None:
    command = [sys.executable, "-m", "worker.local.pool", "--token-file", str(folder / "token")]
    env = {"PATH": "/nowhere"}
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    assert (run.returncode, run.stdout) == (1, "")
    assert "apt-get install bash bubblewrap" in run.stderr


def test_without_a_sandbox_it_runs_only_on_demand_and_says_so(folder: Path) -> None:
    with pool(folder, "--unsafe-no-sandbox") as (process, endpoint):
        assert execute(endpoint, "Object.keys(process.env).sort().join()") == "'HOME,LANG,PATH,PWD,TMPDIR'"
        under = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert "sandbox_disabled" in process.communicate()[1]
        assert all_end(under)


def test_an_unknown_fault_is_refused(folder: Path) -> None:
    (folder / "faults.json").write_text('{"pool": {"typo": true}}')
    command = [sys.executable, "-m", "worker.local.pool", "--token-file", str(folder / "token")]
    command += ["--faults", str(folder / "faults.json")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    assert (run.returncode, "pool.typo: Extra inputs" in run.stderr) == (1, True)


def test_where_namespaces_are_not_allowed_it_says_how_to_allow_them(folder: Path) -> None:
    user = ["--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000"]
    command = ["bwrap", *user, "--dev-bind", "/", "/", sys.executable, "-m", "worker.local.pool"]
    command += ["--token-file", str(folder / "token")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    assert (run.returncode, run.stdout) == (1, "")
    assert "unprivileged user namespaces are needed" in run.stderr
