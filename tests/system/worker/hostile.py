"""Programs that do what nobody wants, and what is to be said of each."""

from dataclasses import dataclass, field
from typing import Any

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Hostile:
    """A program; how it must end; what its output must have or must not have in it."""

    code: str | bytes
    status: str
    exit_code: int | None = None
    stdout: str | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    extension: str = "js"


# Tries something that must not work; anything that does is told by name.
REFUSED = """
const attempts = [];
const refused = (what, act) => attempts.push(Promise.resolve().then(act).then(
    (got) => { if (got) console.log("POSSIBLE", what, String(got).slice(0, 200)); }, () => undefined));
const fs = require("fs"), net = require("net"), path = require("path");
%s
Promise.all(attempts).then(() => console.log("end"));
"""

SECRETS = (
    REFUSED
    % """
refused("the environment", () => JSON.stringify(process.env).includes("canary-6b1d"));
for (const pid of fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name)))
    refused(`/proc/${pid}`, () => fs.readFileSync(`/proc/${pid}/environ`).includes("canary-6b1d"));
for (const folder of ["/root", "/home", "/var"]) refused(folder, () => fs.readdirSync(folder).join());
for (const file of ["/etc/shadow", "/proc/1/root/etc/shadow", "/proc/kcore"])
    refused(file, () => fs.readFileSync(file).length);
for (const folder of ["/tmp", "/mnt/data"])
    refused(folder, () => fs.readdirSync(folder).filter((name) => /neighbour/.test(name)).join());
refused("another user", () => { process.setuid(0); return true; });
refused("the parent's memory", () => fs.readFileSync(`/proc/${process.ppid}/mem`).length);
"""
)

SOCKETS = (
    REFUSED
    % """
const connected = (port, host) => new Promise((resolve, reject) => {
    net.connect({ port, host, timeout: 2000 }, () => resolve(true)).on("error", reject).on("timeout", reject);
});
for (const port of PORTS) refused(`port ${port}`, () => connected(port, "127.0.0.1"));
refused("the metadata service", () => connected(80, "169.254.169.254"));
refused("the internet", () => connected(443, "1.1.1.1"));
refused("fetch", () => fetch("http://127.0.0.1:" + PORTS[0]));
refused("an abstract socket", () => new Promise((resolve, reject) =>
    net.connect("\\0jsworker-session-uids-210000", () => resolve(true)).on("error", reject)));
"""
)

FORK_BOMB = """
const { spawn } = require("child_process");
const options = { stdio: "ignore", detached: true };
const bomb = () => {
    try { spawn(process.execPath, [__filename], options).on("error", () => 0); } catch {}
};
setInterval(() => { for (let n = 0; n < 20; n++) bomb(); }, 10);
"""

OUTLIVING_CHILD = """
const start = (code) => `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(code)}],
    { stdio: "ignore", detached: true }).unref()`;
const idle = "setInterval(() => {}, 1e6)";
eval(start(idle));
eval(start(start(idle)));
setTimeout(() => { console.log("left"); process.exit(0); }, 500);
"""

HOSTILE = {
    "syntax-error": Hostile("let = = 1", "failed", 1),
    "endless-loop": Hostile("for (;;) {}", "timed_out", limits={"timeout_seconds": 1}),
    "endless-promises": Hostile(
        "const f = () => Promise.resolve().then(f); f();", "timed_out", limits={"timeout_seconds": 1}
    ),
    "heap": Hostile(
        "const all = []; for (;;) all.push(new Array(1e5).fill({}));",
        "out_of_memory",
        limits={"timeout_seconds": 60, "memory_mb": 128},
    ),
    "two-gigabytes": Hostile("Buffer.alloc(2 ** 31, 1)", "out_of_memory", limits={"timeout_seconds": 60}),
    "buffers": Hostile(
        "const all = []; for (let n = 0; n < 300; n++) all.push(Buffer.alloc(1e7, 1)); console.log('3 GB')",
        "out_of_memory",
        limits={"timeout_seconds": 60},
    ),
    "fork-bomb": Hostile(FORK_BOMB, "out_of_memory"),
    "output": Hostile(
        "const block = 'x'.repeat(1e6); for (let n = 0; n < 100; n++) process.stdout.write(block);",
        "output_limit",
        limits={"timeout_seconds": 60, "output_bytes": MEGABYTE},
    ),
    "exit-7": Hostile("process.exit(7)", "failed", 7),
    "rejection": Hostile("Promise.reject(new Error('nobody looks'))", "failed", 1),
    "kills-parent": Hostile(
        "try { process.kill(process.ppid, 'SIGKILL') } catch {}\nsetTimeout(() => console.log('alive'), 500)",
        "succeeded",
        0,
        "alive\n",
    ),
    "kills-itself": Hostile("process.kill(process.pid, 'SIGKILL'); for (;;) {}", "failed"),
    "deletes-itself": Hostile(
        "require('fs').rmSync(__dirname, { recursive: true, force: true }); console.log('gone')",
        "succeeded",
        0,
        "gone\n",
    ),
    "outliving-child": Hostile(OUTLIVING_CHILD, "succeeded", 0, "left\n"),
    "neighbour": Hostile(
        "require('fs').writeFileSync('/tmp/neighbour', 'x'); setTimeout(() => console.log('fine'), 3000)",
        "succeeded",
        0,
        "fine\n",
    ),
    "secrets": Hostile(SECRETS, "succeeded", 0, "end\n"),
    "sockets": Hostile(SOCKETS, "succeeded", 0, "end\n"),
    "strange-text": Hostile(
        "console.log('a\\0b\\x1b[31mred\\ud800end')",
        "succeeded",
        0,
        "a\0b\x1b[31mred\N{REPLACEMENT CHARACTER}end\n",
    ),
    "no-text": Hostile(
        "process.stdout.write(Buffer.from([0x66, 0xff, 0xfe, 0x67]))",
        "succeeded",
        0,
        "f\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}g",
    ),
    "false-frame": Hostile("console.log('<jsw:0:2:0>{}</jsw:0>')", "succeeded", 0, "<jsw:0:2:0>{}</jsw:0>\n"),
    "empty": Hostile("", "succeeded", 0, ""),
    "five-megabytes": Hostile("/" * 5 * MEGABYTE + "\nconsole.log('read')", "succeeded", 0, "read\n"),
    "no-utf-8": Hostile(b"// caf\xe9\nconsole.log('caf\xe9'.length)", "succeeded", 0, "4\n"),
    "module": Hostile(
        "import fs from 'node:fs';\nconsole.log(await Promise.resolve(typeof fs))",
        "succeeded",
        0,
        "object\n",
        extension="mjs",
    ),
}
