// What a session executes: runs the programs of `spec` one after another, each as a fresh Node process, and writes
// one framed ASCII answer to the kernel's stdout. script.py puts runner.js and its neighbours, which share one scope, into
// one function of `spec` and drops the comment lines: a comment has its line to itself, and no string spans lines.

const { stdout } = process;
const kernel = globalThis.$$;
kernel.async();
const crypto = require("crypto");
const fs = require("fs");
const os = require("os");
const path = require("path");
const zlib = require("zlib");
const { spawn } = require("child_process");

const TICK_MS = 20;
const TICKS_PER_WALK = 5;
// What an empty Node process takes: memory_mb is what the program may take beside it.
const NODE_BYTES = 48 << 20;
const TAIL_BYTES = 16384;
const COPY_BYTES = 1 << 20;
// As the first process of its namespace, or the first under its init, the kernel has no neighbours but the program's.
const alone = process.pid <= 2;
const none = { size: 0, truncated: false, inline: "" };
const root = writable(spec.root) ? spec.root : os.tmpdir();
const uploads = new Map();
const stashed = [];
let stash = null;
let litter = null;
let { spare } = spec;

async function main() {
  // Opened before any program runs: one that removes or renames uploaded files does not take them from later runs.
  const sources = [spec.code, ...spec.files, ...spec.runs.flatMap((run) => [run.stdin || {}, ...run.files])];
  const names = new Set(sources.map(({ name }) => name).filter(Boolean));
  for (const name of names) uploads.set(name, fs.openSync(path.join(root, name), "r"));
  const runs = [];
  for (const [index, run] of spec.runs.entries()) {
    runs.push(await execute(run, index));
    if (isLast(run, runs[index])) break;
  }
  return { node: process.version, runs };
}

function isLast({ needs_exit_code: needed }, { ended_by: how, exit_code: code }) {
  return needed !== null && (how !== "exit" || code !== needed);
}

async function execute(run, index) {
  clean();
  const opened = [];
  try {
    const place = prepare(run, opened);
    const ended = await supervise(run, place);
    reopen(root);
    return { ...ended, ...harvest(run, place, index, opened) };
  } catch (error) {
    return failed(error);
  } finally {
    opened.forEach(fs.closeSync);
  }
}

// A place: <base>/program is the folder of the program, <base>/tmp its TMPDIR; the streams lie beside them.

function prepare(run, opened) {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(root, "run-")));
  litter = base;
  const program = path.join(base, "program");
  for (const folder of [program, path.join(base, "tmp")]) fs.mkdirSync(folder);
  for (const file of [...spec.files, ...run.files]) put(file, inside(program, file.path));
  put(spec.code, path.join(program, spec.main));
  if (spec.harness) furnish(base, program);
  // Files and no pipes. Node's pipes are socketpairs: /dev/stdin and /dev/stdout cannot be opened on them, what a
  // program writes before process.exit() is lost beyond the socket's buffer, and orphans hold them open. Writes to
  // a file are synchronous and cost the kernel nothing; appending keeps them in order when the file is opened
  // again by its /dev name. A writer without end overshoots by what it writes in one tick, then is killed.
  for (const name of ["stdout", "stderr"]) opened.push(fs.openSync(path.join(base, name), "ax+"));
  const [out, err] = opened;
  const stdin = input(run.stdin, base);
  if (stdin !== "ignore") opened.push(stdin);
  return { base, program, stdin, out, err };
}

function inside(folder, name) {
  const full = path.resolve(folder, name);
  if (!full.startsWith(folder + path.sep)) throw new Error("outside the program's folder: " + name);
  return full;
}

function put(content, target) {
  if (fs.existsSync(target)) fs.rmSync(target, { recursive: true });
  fs.mkdirSync(path.dirname(target), { recursive: true });
  if (content.name) fs.copyFileSync(uploaded(content.name), target);
  else fs.writeFileSync(target, Buffer.from(content.inline, "base64"));
}

const uploaded = (name) => "/proc/self/fd/" + uploads.get(name);

function input(content, base) {
  if (!content) return "ignore";
  if (content.name) return fs.openSync(uploaded(content.name), "r");
  const target = path.join(base, "stdin");
  put(content, target);
  return fs.openSync(target, "r");
}

function answer(result) {
  const text = ascii(result);
  const isLong = frame(text).length > spec.frame_chars;
  if (isLong || stash !== null) clean();
  const name = spec.prefix + "-answer";
  try {
    unpack();
    if (isLong) fs.writeFileSync(path.join(root, name), text, { flag: "wx" });
  } catch (error) {
    return ascii({ ...result, runs: result.runs.map(() => failed(error)) });
  }
  return isLong ? ascii({ name, size: text.length, crc: crc(text) }) : text;
}

// Of a run that filled the session's room as well: to send it anew would do no better.
const failed = (error) => ({ ended_by: "spawn_failed", error: error.message, stdout: none, stderr: none });

const failure = (error) => ascii({ error: String(error && error.message).slice(0, 200) });
const frame = (text) => `\n<jsw:${spec.nonce}:${text.length}:${crc(text)}>${text}</jsw:${spec.nonce}>\n`;
const crc = (text) => zlib.crc32(text);

function ascii(value) {
  return JSON.stringify(value).replace(/[^ -~]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

function send(text) {
  const end = () => {
    clearTimeout(patience);
    kernel.done();
    clean();
    for (const [name, fd] of uploads) {
      fs.closeSync(fd);
      remove(path.join(root, name));
    }
    uploads.clear();
    if (stash !== null) fs.closeSync(stash);
    stash = null;
  };
  // A stdout that nobody drains never calls back.
  const patience = setTimeout(end, 1000);
  stdout.write(frame(text), end);
}
