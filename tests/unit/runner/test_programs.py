"""Programs end as `node main.js` would have them end."""

from dataclasses import replace
from typing import Protocol

import pytest

from worker.runner import Answer, Program, RunAnswer, RunSpec

QUICK = RunSpec(timeout_seconds=10, memory_mb=256, output_bytes=1 << 20)
SHORT = replace(QUICK, timeout_seconds=1.2)


class Kernel(Protocol):
    def run(self, program: Program, frame_chars: int = ...) -> Answer: ...
    def one(self, code: str | bytes, run: RunSpec = ...) -> RunAnswer: ...


def text(run: RunAnswer) -> str:
    assert run.stdout.inline is not None
    return run.stdout.inline.decode()


EXITS = {
    "nothing at all": ("", 0, ""),
    "a line": ("console.log('hi')", 0, "hi\n"),
    "exit 3": ("process.exit(3)", 3, ""),
    "exit 256 is 0": ("process.on('exit', () => console.log('bye')); process.exit(256)", 0, "bye\n"),
    "124 is no timeout": ("process.exit(124)", 124, ""),
    "137 is no kill": ("process.exit(137)", 137, ""),
    "exitCode": ("process.exitCode = 5", 5, ""),
    "throw null": ("throw null", 1, ""),
    "rejection": ("Promise.reject(new Error('x'))", 1, ""),
    "swallowed throw": ("process.emit = () => true; throw new Error('x')", 0, ""),
    "syntax error": ("console.log(1); const x = ;", 1, ""),
    "missing package": ("require('left-pad-does-not-exist')", 1, ""),
    "stack overflow": ("(function f() { return f() + 1; })()", 1, ""),
    "output before exit": ("process.stdout.write('x'.repeat(200000)); process.exit(4)", 4, "x" * 200000),
    "closed stdout": ("const fs = require('fs'); fs.closeSync(1); fs.closeSync(2)", 0, ""),
    "write callbacks": ("process.stdout.write('a', () => process.stdout.write('b'))", 0, "ab"),
    "opened by name": (
        "const fs = require('fs'); console.log(1); fs.appendFileSync('/dev/stdout', '2\\n'); console.log(3)",
        0,
        "1\n2\n3\n",
    ),
    "main module": (
        "console.log(require.main === module, typeof exports, this === exports)",
        0,
        "true object true\n",
    ),
    "shebang": ("#!/usr/bin/env node\nconsole.log(__filename.split('/').pop())", 0, "main.js\n"),
    "its own folder": ("console.log(process.cwd() === __dirname, process.argv.length)", 0, "true 2\n"),
    "no terminal": ("console.log(process.stdout.isTTY, process.stdin.isTTY)", 0, "undefined undefined\n"),
    "no package.json": ("console.log(require('fs').readdirSync('.').join())", 0, "main.js\n"),
    "a frame of its own": ("console.log('<jsw:0:1:2>{}</jsw:0>')", 0, "<jsw:0:1:2>{}</jsw:0>\n"),
    "import": (
        "import fs from 'fs'; console.log(typeof fs.readFileSync, typeof require)",
        0,
        "function undefined\n",
    ),
    "export": ("export const a = 1; console.log(this)", 0, "undefined\n"),
    "import.meta": ("console.log(import.meta.url.slice(0, 8))", 0, "file:///\n"),
    "top-level await": ("const x = await 5; console.log(x)", 0, "5\n"),
    "await and a wrapper's name": ("const require = await 5; console.log(require)", 0, "5\n"),
    "unsettled await": ("await new Promise(() => {})", 13, ""),
    "await in a function": ("function f() { await 1; } console.log(7)", 1, ""),
    "import and a syntax error": ("import 'fs'; const x = ;", 1, ""),
    "import of nothing": ("import './nope.js'", 1, ""),
    "import() in a script": ("import('fs').then((fs) => console.log(typeof fs.default))", 0, "object\n"),
    "sloppy mode": ("with ({ a: 1 }) console.log(a)", 0, "1\n"),
}


@pytest.mark.parametrize("name", EXITS)
def test_a_program_exits_as_under_plain_node(kernel: Kernel, name: str) -> None:
    code, exit_code, stdout = EXITS[name]
    run = kernel.one(code)
    assert (run.ended_by, run.exit_code, run.signal) == ("exit", exit_code, None)
    assert text(run) == stdout


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT"])
def test_a_signal_that_the_program_sends_itself_is_neither_a_timeout_nor_out_of_memory(
    kernel: Kernel, signal: str
) -> None:
    run = kernel.one(f"process.kill(process.pid, '{signal}'); setTimeout(() => {{}}, 5000)")
    assert (run.ended_by, run.exit_code, run.signal) == ("exit", None, signal)


@pytest.mark.parametrize(
    "code",
    [
        b"\xef\xbb\xbfconsole.log(require('fs').readFileSync(__filename).toString('hex'))",
        b"console.log(require('fs').readFileSync(__filename).toString('hex'))\r\n// caf\xe9 \xff\x00",
        b"#!x\r\nconsole.log(require('fs').readFileSync(__filename).toString('hex')) // \xed\xa0\x80",
    ],
)
def test_the_code_arrives_byte_for_byte(kernel: Kernel, code: bytes) -> None:
    assert text(kernel.one(code)) == code.hex() + "\n"


def test_a_program_of_five_megabytes_runs(kernel: Kernel) -> None:
    assert text(kernel.one(b"/*" + b"x" * 5_000_000 + b"*/console.log('ran')")) == "ran\n"


def test_the_text_of_a_syntax_error_is_that_of_node(kernel: Kernel) -> None:
    stderr = kernel.one("const x = ;").stderr.inline or b""
    assert b"const x = ;\n          ^\n\nSyntaxError: Unexpected token ';'" in stderr


def test_module_syntax_in_a_js_file_leaves_nothing_on_stderr(kernel: Kernel) -> None:
    assert kernel.one("import 'fs'; await 1").stderr.inline == b""


def test_the_extension_decides_over_the_content(kernel: Kernel) -> None:
    code = b"console.log(typeof require)"
    assert text(kernel.run(Program(code, (QUICK,), "main.mjs")).runs[0]) == "undefined\n"
    assert text(kernel.run(Program(code, (QUICK,), "main.cjs")).runs[0]) == "function\n"
    assert kernel.run(Program(b"export {}", (QUICK,), "main.cjs")).runs[0].exit_code == 1


def test_files_beside_the_program_are_of_either_module_kind(kernel: Kernel) -> None:
    code = b"import a from './a.js'; import b from './lib/b.js'; console.log(a, b)"
    files = (("a.js", b"export default 1"), ("lib/b.js", b"module.exports = 2"))
    assert text(kernel.run(Program(code, (QUICK,), files=files)).runs[0]) == "1 2\n"


def test_a_package_json_among_the_files_decides(kernel: Kernel) -> None:
    files = (("package.json", b'{"type": "module"}'),)
    assert (
        text(kernel.run(Program(b"console.log(typeof require)", (QUICK,), files=files)).runs[0])
        == "undefined\n"
    )


STDIN = {
    "by number": "process.stdout.write(require('fs').readFileSync(0))",
    "by name": "process.stdout.write(require('fs').readFileSync('/dev/stdin'))",
    "by events": "process.stdin.on('data', (d) => process.stdout.write(d))",
    "by pipe": "process.stdin.pipe(process.stdout)",
    "by iteration": "(async () => { for await (const d of process.stdin) process.stdout.write(d) })()",
}
ODD_BYTES = b"a\x00b\r\n\xff\xfe caf\xc3\xa9" * 20_000


@pytest.mark.parametrize("stdin", [ODD_BYTES, b"", None], ids=["bytes", "empty", "none"])
@pytest.mark.parametrize("way", STDIN)
def test_stdin_is_read_byte_for_byte_and_then_ends(kernel: Kernel, way: str, stdin: bytes | None) -> None:
    run = kernel.one(STDIN[way], replace(QUICK, stdin=stdin))
    assert (run.exit_code, run.stdout.inline) == (0, stdin or b"")


def test_stdin_is_read_line_by_line(kernel: Kernel) -> None:
    code = """const lines = require('readline').createInterface({ input: process.stdin });
    lines.on('line', (line) => console.log(line + '!'))"""
    assert text(kernel.one(code, replace(QUICK, stdin=b"1\n2\r\n3"))) == "1!\n2!\n3!\n"


def test_stdin_that_nobody_reads_does_no_harm(kernel: Kernel) -> None:
    assert (
        text(kernel.one("console.log('did not read')", replace(QUICK, stdin=b"w" * 1_000_000)))
        == "did not read\n"
    )


def test_output_is_kept_byte_for_byte(kernel: Kernel) -> None:
    run = kernel.one(
        "process.stdout.write(Buffer.from('00ff1b5b1b8029c328', 'hex')); console.error('\\ud800|\\u2028')"
    )
    assert run.stdout.inline == bytes.fromhex("00ff1b5b1b8029c328")
    assert run.stderr.inline == "\ufffd|\u2028\n".encode()


def test_arguments_and_environment_are_the_jobs_alone(kernel: Kernel) -> None:
    run = replace(
        QUICK, args=("--fast", "", "é\n"), env={"TZ": "UTC", "__proto__": "p", "NODE_CHANNEL_FD": "3"}
    )
    code = (
        "const { argv, env } = process; console.log(JSON.stringify([argv.slice(2), Object.keys(env).sort()]))"
    )
    assert text(kernel.one(code, run)) == (
        '[["--fast","","é\\n"],["HOME","LANG","PATH","TMPDIR","TZ","__proto__"]]\n'
    )


def test_no_file_of_the_kernel_is_open_in_the_program(kernel: Kernel) -> None:
    code = """const fs = require('fs');
    for (const fd of fs.readdirSync('/proc/self/fd')) {
      let target = ''; try { target = fs.readlinkSync('/proc/self/fd/' + fd); } catch { continue; }
      if (fd > 2 && !/^anon_inode|^pipe:|^\\/proc|^\\/dev\\/null/.test(target)) console.log(fd, target);
    }"""
    assert text(kernel.one(code)) == ""


def test_the_home_and_temporary_folders_are_its_own_and_can_be_written(kernel: Kernel) -> None:
    code = """const fs = require('fs'), os = require('os');
    for (const folder of [os.homedir(), os.tmpdir()]) fs.writeFileSync(folder + '/f', 'x');
    console.log(os.tmpdir().startsWith(os.homedir()))"""
    assert text(kernel.one(code)) == "true\n"


LOOPS = {
    "loop": "for (;;);",
    "stopped": "process.kill(process.pid, 'SIGSTOP'); setTimeout(() => {}, 100)",
    "exit handler": "process.on('exit', () => { for (;;); }); process.exit(3)",
    "signals ignored": ";['SIGTERM', 'SIGHUP'].map((s) => process.on(s, () => {})); setInterval(() => {}, 9)",
    "throws swallowed": "process.on('uncaughtException', () => {}); setInterval(() => x.y, 5)",
    "regular expression": "/^(a+)+$/.test('a'.repeat(60) + '!')",
    "a child waits": "require('child_process').spawnSync(process.execPath, ['-e', 'for (;;);'])",
}


@pytest.mark.parametrize("name", LOOPS)
def test_the_time_limit_ends_it_whatever_it_does(kernel: Kernel, name: str) -> None:
    run = kernel.one("console.log('begun');" + LOOPS[name], SHORT)
    assert (run.ended_by, run.exit_code, run.signal) == ("timeout", None, "SIGKILL")
    assert 1200 <= run.duration_ms < 9000
    assert text(run) == "begun\n"


def test_output_beyond_the_bound_ends_it_and_the_bound_is_kept(kernel: Kernel) -> None:
    code = "const fs = require('fs'), s = Buffer.alloc(65535, 'spam '); for (;;) fs.writeSync(2, s)"
    run = kernel.one(code, replace(QUICK, output_bytes=100_000))
    assert (run.ended_by, run.signal) == ("output", "SIGKILL")
    assert (run.stderr.size, run.stderr.truncated, run.stdout.truncated) == (100_000, True, False)
    assert run.stderr.inline == b"spam " * 20_000


def test_output_beyond_the_bound_counts_even_when_it_was_over_before_anyone_looked(kernel: Kernel) -> None:
    assert kernel.one("process.stdout.write('12345')", replace(QUICK, output_bytes=4)).ended_by == "output"
    assert kernel.one("process.stdout.write('1234')", replace(QUICK, output_bytes=4)).ended_by == "exit"


HOGS = {
    "buffers": "const a = []; for (;;) a.push(Buffer.alloc(4 << 20, 1));",
    "heap": "const a = []; for (;;) a.push({ a: [1, 2, 3], b: 'x' + a.length });",
    "wasm": "const m = new WebAssembly.Memory({ initial: 1, maximum: 65536 });"
    "for (;;) { m.grow(64); new Uint8Array(m.buffer).fill(7); }",
    "a child": "require('child_process').spawnSync(process.execPath,"
    "['-e', 'const a = []; for (let i = 0; i < 300; i++) a.push(Buffer.alloc(1 << 20, 1)); for (;;);'])",
}


@pytest.mark.parametrize("name", HOGS)
def test_more_memory_than_allowed_ends_it(kernel: Kernel, name: str) -> None:
    run = kernel.one(HOGS[name], replace(QUICK, memory_mb=64, timeout_seconds=20))
    assert run.ended_by == "memory"
    assert run.peak_memory_bytes < 400 << 20


def test_what_v8_says_of_a_full_heap_is_no_offence_against_the_bound_of_output(kernel: Kernel) -> None:
    code = "console.error('\\n<--- Last few GCs --->\\n' + 'x'.repeat(500)); process.abort()"
    run = kernel.one(code, replace(QUICK, output_bytes=100))
    assert (run.ended_by, run.stderr.size) == ("memory", 100)


def test_memory_within_the_limit_is_no_offence(kernel: Kernel) -> None:
    code = "const b = Buffer.alloc(50 << 20, 1); setTimeout(() => console.log(b.length), 150)"
    run = kernel.one(code, replace(QUICK, memory_mb=64))
    assert (run.ended_by, run.exit_code) == ("exit", 0)
    assert run.peak_memory_bytes > 50 << 20


def test_a_process_that_cannot_be_started_says_why(kernel: Kernel) -> None:
    run = kernel.one("", replace(QUICK, args=("nul\0",)))
    assert run.ended_by == "spawn_failed"
    assert "null bytes" in (run.error or "")
    assert (run.exit_code, run.stdout.size) == (None, 0)
