"""What the doctor runs in sessions, as the kernel takes it; each prints one line of JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

REACH_MS = 3000

HELLO = """(() => {
  const os = require("os");
  console.log(JSON.stringify({node: process.versions.node, cpus: os.cpus().length,
    memory_mb: Math.round(os.totalmem() / 1048576), folder: process.cwd()}));
})()"""

PLACE = """(() => {
  const os = require("os"), fs = require("fs"), path = require("path");
  const read = (file) => { try { return fs.readFileSync(file, "utf8").trim(); } catch { return null; } };
  const list = (folder) => { try { return fs.readdirSync(folder).slice(0, 100); } catch { return null; } };
  const paths = [...(module.paths || []), ...require("module").globalPaths];
  const packages = [...new Set(paths.flatMap((folder) => list(folder) || []))].filter((n) => n[0] !== ".");
  console.log(JSON.stringify({node: process.versions.node, platform: os.platform(), arch: process.arch,
    folder: process.cwd(), uid: process.getuid(), cpus: os.cpus().length,
    available: os.availableParallelism(), memory_mb: Math.round(os.totalmem() / 1048576), heap_mb: Math.round(
      require("v8").getHeapStatistics().heap_size_limit / 1048576),
    cgroup_memory: read("/sys/fs/cgroup/memory.max"), cgroup_cpu: read("/sys/fs/cgroup/cpu.max"),
    cgroup_pids: read("/sys/fs/cgroup/pids.max"), data: list("/mnt/data"), temporary: os.tmpdir(),
    packages: packages.slice(0, 200), variables: Object.keys(process.env).sort().slice(0, 100)}));
})()"""

THROWS = 'console.log("before"); throw new Error("an error of the doctor");'
WAITS = "$$.async(); setTimeout(() => { console.log('ended'); $$.done(); }, 20000);"

_REACH = """$$.async();
Promise.all(TARGETS.map(([host, port]) => new Promise((done) => {
  const end = (name) => { socket.destroy(); done(name); };
  const socket = require("net").connect({host, port});
  socket.setTimeout(LIMIT, () => end(null));
  socket.on("connect", () => end(host + ":" + port)).on("error", () => end(null));
}))).then((names) => {
  console.log(JSON.stringify({reached: names.filter(Boolean)}));
  $$.done();
});"""


def reach(targets: Sequence[tuple[str, int]]) -> str:
    """The program that tries to connect to each of these, and says which it got through to."""
    return _REACH.replace("TARGETS", json.dumps(targets)).replace("LIMIT", str(REACH_MS))


def prints(characters: int) -> str:
    """The program that prints so many."""
    return f'console.log("x".repeat({characters}));'


def padded(size: int) -> str:
    """A program of about so many bytes that prints one line."""
    return f'console.log("ran");//{"x" * size}'
