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
