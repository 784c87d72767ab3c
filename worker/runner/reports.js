// What a harness reports over a socket that is none of its streams: the lines that begin with a key, which it reads
// there first. Not a pipe, and no file: both could be opened again by their names under /proc.

const REPORT_CHARS = 1 << 20;
const LINE_CHARS = 1 << 16;
const DRAIN_MS = 1000;

const preload = (base) => path.join(base, "preload.cjs");

function furnish(base, program) {
  put({ inline: spec.harness.preload }, preload(base));
  for (const [name, file] of spec.harness.links) {
    const target = inside(program, name);
    put({ inline: "" }, target);
    fs.rmSync(target);
    fs.symlinkSync(inside(program, file), target);
  }
}

function reported(socket) {
  const { key } = spec.harness;
  const lines = [];
  let rest = "";
  let left = REPORT_CHARS;
  socket.write(key);
  socket.setEncoding("utf8");
  socket.on("error", () => {});
  socket.on("data", (text) => {
    const found = (rest + text).split("\n");
    rest = found.pop().slice(0, LINE_CHARS);
    for (const line of found) {
      if (!line.startsWith(key)) continue;
      // Of a report that is too long the end must be missing.
      left = line.length > left ? 0 : left - line.length;
      if (left === 0) continue;
      lines.push(line.slice(key.length));
    }
  });
  const closed = new Promise((resolve) => socket.on("close", resolve));
  // The harness is over, and with all that it left running its socket ends; on a kernel with neighbours, something may
  // have been overlooked.
  return async () => {
    const patience = setTimeout(() => socket.destroy(), DRAIN_MS);
    await closed;
    clearTimeout(patience);
    return lines.join("\n");
  };
}
