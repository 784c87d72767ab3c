"""What a program leaves in its session, and what comes back from there."""

import json
import os
import resource
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from worker.runner import Answer, FrameError, Program, RunAnswer, RunSpec, Uploaded
from worker.runner.script import INLINE_IN_ALL_BYTES

QUICK = RunSpec(timeout_seconds=10, memory_mb=256, output_bytes=1 << 20)
DEADLINE_SECONDS = 10


class Kernel(Protocol):
    data: Path
    process: subprocess.Popen[bytes]

    def execute(self, code: str) -> str: ...
    def run(self, program: Program, frame_chars: int = ...) -> Answer: ...
    def one(self, code: str | bytes, run: RunSpec = ...) -> RunAnswer: ...


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def folders(kernel: Kernel) -> list[str]:
    return [entry.name for entry in kernel.data.iterdir() if entry.name.startswith("run-")]


def test_each_run_has_its_own_input_arguments_limits_and_fresh_folder(kernel: Kernel) -> None:
    code = b"""const fs = require('fs');
    const left = ['left', process.env.TMPDIR + '/left'];
    console.log(process.argv[2], fs.readFileSync(0, 'utf8'), ...left.map((name) => fs.existsSync(name)));
    for (const name of left) fs.writeFileSync(name, '');
    if (process.argv[2] === '1') for (;;);"""
    specs = [replace(QUICK, stdin=b"in%d" % n, args=(str(n),)) for n in range(3)]
    specs[1] = replace(specs[1], timeout_seconds=1.2)
    answer = kernel.run(Program(code, tuple(specs)))
    assert [run.ended_by for run in answer.runs] == ["exit", "timeout", "exit"]
    assert [run.stdout.inline for run in answer.runs] == [b"%d in%d false false\n" % (n, n) for n in range(3)]
    assert answer.node.startswith("v")


def test_code_input_and_files_may_lie_in_the_session_already(kernel: Kernel) -> None:
    (kernel.data / "u-code").write_text(
        "console.log(require('./lib/d.json').a, require('fs').readFileSync(0, 'utf8'))"
    )
    (kernel.data / "u-stdin").write_text("typed")
    (kernel.data / "u-file").write_text('{"a": 1}')
    program = Program(
        Uploaded("u-code"),
        (replace(QUICK, stdin=Uploaded("u-stdin")),) * 2,
        files=(("lib/d.json", Uploaded("u-file")),),
    )
    assert [run.stdout.inline for run in kernel.run(program).runs] == [b"1 typed\n"] * 2


def test_a_program_that_removes_uploads_does_not_take_them_from_its_later_runs(kernel: Kernel) -> None:
    name = kernel.data / "u-removed"
    name.write_text(f"console.log('ran'); require('fs').rmSync({json.dumps(str(name))}, {{ force: true }})")
    answer = kernel.run(Program(Uploaded(name.name), (QUICK, QUICK)))
    assert [run.stdout.inline for run in answer.runs] == [b"ran\n"] * 2
    assert not name.exists()


def test_an_upload_that_is_not_there_fails_the_runner_and_not_the_program(kernel: Kernel) -> None:
    with pytest.raises(FrameError, match="runner_failed: ENOENT"):
        kernel.run(Program(Uploaded("nowhere"), (QUICK,)))


def test_a_file_never_lands_outside_the_programs_folder(kernel: Kernel) -> None:
    run = kernel.run(Program(b"", (QUICK,), files=(("../../escaped", b"x"),))).runs[0]
    assert run.ended_by == "spawn_failed"
    assert not (kernel.data / "escaped").exists()


def test_what_does_not_fit_the_frame_lies_in_files_that_the_answer_names(kernel: Kernel) -> None:
    code = b"for (let i = 0; i < 300000; i++) process.stdout.write('z'); console.error('small')"
    run = kernel.run(Program(code, (QUICK,)), frame_chars=4096).runs[0]
    assert run.stdout.inline is None
    assert (kernel.data / str(run.stdout.name)).read_bytes() == b"z" * 300_000
    assert (run.stdout.size, run.stderr.inline) == (300_000, b"small\n")


def test_an_answer_of_many_runs_fits_the_smallest_frame(kernel: Kernel) -> None:
    answer = kernel.run(Program(b"console.log('y'.repeat(3000))", (QUICK,) * 12), frame_chars=4096)
    assert [run.stdout.inline for run in answer.runs] == [b"y" * 3000 + b"\n"] * 12


@pytest.mark.parametrize(
    "deed",
    [
        "fs.writeFileSync(found, 'forged')",
        "fs.rmSync(found)",
        "for (const next of ['1-stdout', '1-f', 'answer']) fs.mkdirSync(found.replace('0-stdout', next))",
        "fs.writeFileSync('../../mine', 'forged')",
        "fs.chmodSync('../..', 0)",
    ],
    ids=["rewrites", "removes", "plants", "rewrites its link", "shuts the folder"],
)
def test_what_a_run_left_is_out_of_reach_of_the_next(new_kernel: Callable[[], Kernel], deed: str) -> None:
    code = f"""const fs = require('fs');
    if (process.argv[2]) {{
      const name = fs.readdirSync('../..').find((name) => name.startsWith('jsw-'));
      const found = name && '../../' + name;
      try {{ {deed}; }} catch (error) {{ if (found) throw error; }}
    }} else if (!fs.existsSync('../../mine')) fs.linkSync('../stdout', '../../mine');
    fs.writeFileSync('f', 'f'.repeat(90000));
    process.stdout.write('z'.repeat(90000) + process.argv[2]);"""
    runs = (replace(QUICK, args=("",)), replace(QUICK, args=("next",)), replace(QUICK, args=("",)))
    kernel = new_kernel()
    answer = kernel.run(Program(code.encode(), runs, collect=("f",)), frame_chars=4096)
    stdouts = [(kernel.data / str(run.stdout.name)).read_bytes() for run in answer.runs]
    assert stdouts == [b"z" * 90_000 + tail for tail in (b"", b"next", b"")]
    assert [(kernel.data / str(run.files[0].name)).read_bytes() for run in answer.runs] == [b"f" * 90_000] * 3


def test_files_are_collected_from_the_programs_folder_alone(kernel: Kernel) -> None:
    code = b"""const fs = require('fs');
    fs.mkdirSync('out'); fs.writeFileSync('out/plot.svg', '<svg/>');
    fs.symlinkSync('/etc/passwd', 'link');
    fs.symlinkSync('out/plot.svg', 'alias'); fs.symlinkSync('/', 'root');"""
    names = (
        "out/plot.svg",
        "alias",
        "none",
        "out",
        "link",
        "root/etc/passwd",
        "../stdout",
        "/etc/passwd",
        "out/plot.svg/x",
    )
    run = kernel.run(Program(code, (QUICK,), collect=names)).runs[0]
    assert {file.path: file.inline for file in run.files} == {"out/plot.svg": b"<svg/>", "alias": b"<svg/>"}
    assert {problem.path: problem.reason for problem in run.problems} == {
        "none": "missing",
        "out": "not_a_file",
        "link": "outside",
        "root/etc/passwd": "outside",
        "../stdout": "outside",
        "/etc/passwd": "outside",
        "out/plot.svg/x": "missing",
    }


def test_a_collected_file_has_a_bound_and_a_large_one_is_named(kernel: Kernel) -> None:
    code = b"for (const n of [500, 501, 90000]) require('fs').writeFileSync('f' + n, Buffer.alloc(n, 7))"
    bounded = Program(code, (QUICK,), collect=("f500", "f501"), collect_bytes=500)
    run = kernel.run(bounded).runs[0]
    assert ([file.path for file in run.files], [p.reason for p in run.problems]) == (["f500"], ["too_big"])
    large = kernel.run(Program(code, (QUICK,), collect=("f90000",)), frame_chars=4096).runs[0].files[0]
    assert (kernel.data / str(large.name)).read_bytes() == b"\x07" * 90_000


MESS = """const fs = require('fs'); process.chdir(process.env.TMPDIR);
for (const n of ['-rf', 'a b', 'new\\nline', '\\u202e.txt', 'x'.repeat(200)]) fs.writeFileSync(n, '');
fs.writeFileSync(Buffer.from([0x66, 0xff, 0xfe]), '');
let d = ''; for (let i = 0; i < 150; i++) { d += 'd/'; fs.mkdirSync(d); }
fs.symlinkSync(process.argv[2], 'link');
fs.mkdirSync('locked/in', { recursive: true }); fs.writeFileSync('locked/f', '');
fs.chmodSync('locked/in', 0); fs.chmodSync('locked', 0); fs.chmodSync('.', 0o500); fs.chmodSync('..', 0);
console.log('mess made');"""


def test_whatever_it_leaves_is_removed_and_links_are_not_followed(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    run = kernel.one(MESS, replace(QUICK, args=(str(tmp_path),)))
    assert (run.exit_code, run.stdout.inline) == (0, b"mess made\n")
    until(lambda: not folders(kernel))
    assert (tmp_path / "kept").exists()


def test_a_program_may_remove_all_that_is_its_own(kernel: Kernel) -> None:
    code = "require('fs').rmSync(process.env.HOME, { recursive: true }); console.log('gone')"
    assert kernel.one(code, replace(QUICK, stdin=b"x")).stdout.inline == b"gone\n"


ORPHAN = """const { spawn } = require('child_process');
const child = spawn(process.execPath, ['-e', 'setInterval(() => console.log(1), 5)'], %s);
child.unref(); console.log(child.pid); %s"""
ORPHANS = {
    "in its group, holding stdout": ORPHAN % ("{ stdio: 'inherit' }", "process.exit()"),
    "in a group of its own": ORPHAN % ("{ stdio: 'ignore', detached: true }", "process.exit()"),
    "in another folder": ORPHAN % ("{ stdio: 'ignore', detached: true, cwd: '/' }", "process.exit()"),
    "without environment": ORPHAN % ("{ stdio: 'ignore', detached: true, env: {} }", "process.exit()"),
    "without either, once seen": ORPHAN
    % ("{ stdio: 'ignore', detached: true, env: {}, cwd: '/' }", "setTimeout(() => process.exit(), 400)"),
    "of a run that is killed": ORPHAN % ("{ stdio: 'ignore', detached: true }", "for (;;);"),
}


@pytest.mark.parametrize("name", ORPHANS)
def test_no_process_outlives_its_run(kernel: Kernel, name: str) -> None:
    killed = name == "of a run that is killed"
    run = kernel.one(ORPHANS[name], replace(QUICK, timeout_seconds=1.2 if killed else 10))
    assert run.ended_by == ("timeout" if killed else "exit")
    pid = int((run.stdout.inline or b"").split()[0])
    until(lambda: not runs(pid))


def test_a_process_of_a_neighbour_is_left_alone(kernel: Kernel, new_kernel: Callable[[], Kernel]) -> None:
    run = replace(QUICK, timeout_seconds=1)
    other = new_kernel()
    other.execute(
        "var bystander = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 9)'])"
    )
    pid = int(other.execute("process.stdout.write(String(bystander.pid))"))
    assert kernel.one("for (;;);", run).ended_by == "timeout"
    assert runs(pid)
    assert other.one("for (;;);", run).ended_by == "timeout"
    assert runs(pid)
    other.execute("bystander.kill('SIGKILL'); $$.async(); bystander.on('exit', () => $$.done())")


def test_the_global_scope_of_the_session_stays_as_it_was(kernel: Kernel) -> None:
    names = "process.stdout.write(JSON.stringify(Object.getOwnPropertyNames(globalThis).sort()))"
    before = json.loads(kernel.execute(names))
    kernel.one("globalThis.x = 1; var y = 2")
    assert json.loads(kernel.execute(names)) == before


def test_what_an_earlier_cell_prints_meanwhile_does_not_break_the_frame(
    new_kernel: Callable[[], Kernel],
) -> None:
    kernel = new_kernel()
    kernel.execute("setInterval(() => console.log('tick \\u00e9'.slice(0, 4)), 1); 0")
    assert kernel.one("setTimeout(() => console.log('mine'), 100)").stdout.inline == b"mine\n"


def test_the_environment_of_the_kernel_is_not_seen(kernel: Kernel) -> None:
    seen = kernel.one("console.log(JSON.stringify(process.env))").stdout.inline or b""
    assert b"SECRET" not in seen
    assert os.environ["HOME"] != json.loads(seen)["HOME"]


def test_files_of_a_run_lie_over_those_of_the_program(kernel: Kernel) -> None:
    (kernel.data / "u-own").write_text("own")
    code = b"""const fs = require('fs');
    console.log(fs.readFileSync('a', 'utf8'), fs.existsSync('b/c') && fs.readFileSync('b/c', 'utf8'))"""
    files = (("a", b"all"), ("b/c", b"all"))
    own = replace(QUICK, files=(("a", Uploaded("u-own")), ("b", b"a file in place of a folder")))
    answer = kernel.run(Program(code, (own, QUICK), files=files))
    assert [run.stdout.inline for run in answer.runs] == [b"own false\n", b"all all\n"]


def test_runs_after_one_that_ends_otherwise_than_they_need_are_not_run(kernel: Kernel) -> None:
    code = b"process.exit(Number(process.argv[2]))"
    runs = [replace(QUICK, args=(arg,), needs_exit_code=3) for arg in "3343"]
    assert [run.exit_code for run in kernel.run(Program(code, tuple(runs))).runs] == [3, 3, 4]
    slow = replace(QUICK, timeout_seconds=1, needs_exit_code=0)
    assert len(kernel.run(Program(b"for (;;);", (slow, slow))).runs) == 1


def test_a_harness_reports_over_a_channel_that_is_none_of_its_streams(kernel: Kernel) -> None:
    code = b"takeReport()([{ name: 'a', ok: true }, { name: 'b', ok: 1, message: 'why' }]); console.log(1)"
    run = kernel.run(Program(code, (QUICK,), reports="json")).runs[0]
    assert run.stdout.inline == b"1\n"
    assert [json.loads(line)["type"] for line in (run.report or "").splitlines()] == [
        "ready",
        "pass",
        "fail",
        "end",
    ]


def test_a_report_has_a_bound(kernel: Kernel) -> None:
    code = b"""const list = Array.from({ length: 2000 }, (_, n) => ({ name: "x".repeat(1e5), ok: false }));
    takeReport()(list)"""
    report = kernel.run(Program(code, (QUICK,), reports="json")).runs[0].report or ""
    assert len(report) < 1 << 20
    assert '"end"' not in report


def test_children_and_threads_of_a_harness_run_as_they_would_without_one(kernel: Kernel) -> None:
    code = b"""const { fork } = require("child_process"), { Worker } = require("worker_threads");
    if (process.send) process.send("child");
    else {
      const child = fork(__filename);
      child.on("message", (said) => { console.log(said); child.disconnect(); });
      child.on("exit", () => new Worker("console.log('thread')", { eval: true }));
    }"""
    run = kernel.run(Program(code, (QUICK,), reports="json")).runs[0]
    assert (run.stdout.inline, run.exit_code) == (b"child\nthread\n", 0)


def test_a_process_that_a_harness_leaves_with_the_channel_does_not_hold_up_its_report(kernel: Kernel) -> None:
    code = b"""takeReport()([{ name: "a", ok: true }]);
    const options = { stdio: ["ignore", "ignore", "ignore", 3], detached: true, env: {}, cwd: "/" };
    require("child_process").spawn("sleep", ["15"], options).unref();"""
    started = time.monotonic()
    run = kernel.run(Program(code, (QUICK,), reports="json")).runs[0]
    assert '"end"' in (run.report or "")
    assert time.monotonic() - started < DEADLINE_SECONDS


def test_a_program_that_is_no_harness_has_no_channel(kernel: Kernel) -> None:
    run = kernel.one(
        "console.log(require('fs').existsSync('/proc/self/fd/3/x'), process.env.JSWORKER_HARNESS)"
    )
    assert run.report is None
    assert (run.stdout.inline or b"").endswith(b"undefined\n")


def test_of_much_that_many_runs_leave_only_some_is_in_the_answer(kernel: Kernel) -> None:
    code = b"const part = 'x'.repeat(60000); process.stdout.write(part); process.stderr.write(part);"
    answer = kernel.run(Program(code, (QUICK,) * 40))
    contents = [content for run in answer.runs for content in (run.stdout, run.stderr)]
    inline = [content for content in contents if content.inline is not None]
    assert len(inline) == INLINE_IN_ALL_BYTES // 60_000
    for content in contents:
        data = content.inline or (kernel.data / str(content.name)).read_bytes()
        assert data == b"x" * 60_000


@pytest.mark.parametrize(
    "plant", ["mkdirSync(name)", "symlinkSync('/nowhere/x', name)", "writeFileSync(name, '')"]
)
def test_what_a_run_puts_where_answers_will_lie_is_not_in_their_way(
    new_kernel: Callable[[], Kernel], plant: str
) -> None:
    kernel = new_kernel()
    # The first run's output lies in the session: its name tells the others.
    code = f"""const fs = require('fs');
    const kept = fs.readdirSync('{kernel.data}').find((name) => name.endsWith('-0-stdout'));
    for (const end of kept ? ['answer', '1-stdout'] : []) {{
      const name = '{kernel.data}/' + kept.replace('0-stdout', end);
      fs.{plant};
    }}
    console.log('x'.repeat(100_000));"""
    answer = kernel.run(Program(code.encode(), (QUICK, QUICK)), frame_chars=300)
    assert [(run.ended_by, run.stdout.size) for run in answer.runs] == [("exit", 100_001)] * 2


def test_an_answer_that_there_is_no_room_for_is_the_programs_failure(
    new_kernel: Callable[[], Kernel],
) -> None:
    kernel = new_kernel()
    resource.prlimit(kernel.process.pid, resource.RLIMIT_FSIZE, (4000, 4000))
    program = Program(b"console.log('x'.repeat(3000))", (QUICK, QUICK))
    runs = kernel.run(program, frame_chars=1000).runs
    assert [run.ended_by for run in runs] == ["spawn_failed"] * 2
    assert "EFBIG" in str(runs[0].error)


def test_uploads_do_not_stay_in_the_session(kernel: Kernel) -> None:
    (kernel.data / "u-input").write_text("typed")
    code = b"process.stdin.pipe(process.stdout)"
    answer = kernel.run(Program(code, (replace(QUICK, stdin=Uploaded("u-input")),)))
    assert answer.runs[0].stdout.inline == b"typed"
    until(lambda: not (kernel.data / "u-input").exists())
