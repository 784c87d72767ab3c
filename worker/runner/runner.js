// What a session executes: runs the programs of `spec` one after another, each as a fresh Node process, and writes
// one framed ASCII answer to the kernel's stdout. script.py wraps this function in a call and drops the comment
// lines, so a comment has its line to itself and no string spans lines.
(function runner(spec) {
  "use strict";
  const { stdout } = process;
  const kernel = globalThis.$$;
  kernel.async();
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
  // As the first process of its namespace the kernel has no neighbours but the program's processes.
  const alone = process.pid === 1;
  const none = { size: 0, truncated: false, inline: "" };
  let litter = null;

  async function main() {
    const runs = [];
    for (const [index, run] of spec.runs.entries()) runs.push(await execute(run, index));
    return { node: process.version, runs };
  }

  async function execute(run, index) {
    clean();
    const opened = [];
    try {
      const place = prepare(run, opened);
      const ended = await supervise(run, place);
      return { ...ended, ...harvest(run, place, index, opened) };
    } catch (error) {
      return { ended_by: "spawn_failed", error: error.message, stdout: none, stderr: none };
    } finally {
      opened.forEach(fs.closeSync);
    }
  }

  // --- the program's place: <base>/program is its folder, <base>/tmp its TMPDIR

  function prepare(run, opened) {
    const base = fs.realpathSync(fs.mkdtempSync(path.join(home(), "run-")));
    litter = base;
    const program = path.join(base, "program");
    for (const folder of [program, path.join(base, "tmp")]) fs.mkdirSync(folder);
    for (const file of spec.files) put(file, inside(program, file.path));
    put(spec.code, path.join(program, spec.main));
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

  function home() {
    try {
      fs.accessSync(spec.root, fs.constants.W_OK);
      return spec.root;
    } catch {
      return os.tmpdir();
    }
  }

  function inside(folder, name) {
    const full = path.resolve(folder, name);
    if (!full.startsWith(folder + path.sep)) throw new Error("outside the program's folder: " + name);
    return full;
  }

  function put(content, target) {
    fs.mkdirSync(path.dirname(target), { recursive: true });
    if (content.name) fs.copyFileSync(path.join(spec.root, content.name), target);
    else fs.writeFileSync(target, Buffer.from(content.inline, "base64"));
  }

  function input(content, base) {
    if (!content) return "ignore";
    if (content.name) return fs.openSync(path.join(spec.root, content.name), "r");
    const target = path.join(base, "stdin");
    put(content, target);
    return fs.openSync(target, "r");
  }

  // --- one process, from its start to the end of all it left behind

  function supervise(run, place) {
    const before = alone ? null : new Set(pids());
    const started = performance.now();
    const child = spawn(process.execPath, [...flags(run), path.join(place.program, spec.main), ...run.args], {
      cwd: place.program,
      env: environment(run, place.base),
      stdio: [place.stdin, place.out, place.err],
      detached: true,
    });
    const watch = { run, place, before, pid: String(child.pid), family: new Set(), peak: 0, ticks: 0, reason: "exit" };
    watch.family.add(watch.pid);
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => stop(watch, "timeout"), run.timeout_ms);
      const ticker = setInterval(() => look(watch), TICK_MS);
      const over = (settle) => {
        clearTimeout(limit);
        clearInterval(ticker);
        settle();
      };
      child.on("error", (error) => over(() => reject(error)));
      child.on("exit", (code, signal) => {
        const duration_ms = Math.round(performance.now() - started);
        over(() => resolve({ exit_code: code, signal, duration_ms, ...verdict(watch, signal) }));
      });
    });
  }

  function flags(run) {
    // The old generation ends a little earlier than the process, so that V8 can say so on stderr.
    const heap = ["--max-old-space-size=" + (run.memory_mb - Math.min(32, run.memory_mb >> 2))];
    const [major, minor] = process.versions.node.split(".").map(Number);
    // Node 20.19 finds module syntax in a .js file by itself; before, it has to be told, and 20.18 warns about it.
    if (major > 20 || minor > 18) return heap;
    return [...heap, "--experimental-detect-module", "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"];
  }

  function environment(run, base) {
    const kept = process.env.OPENSSL_CONF ? { OPENSSL_CONF: process.env.OPENSSL_CONF } : {};
    return {
      PATH: path.dirname(process.execPath) + ":/usr/local/bin:/usr/bin:/bin",
      HOME: base,
      TMPDIR: path.join(base, "tmp"),
      LANG: "C.UTF-8",
      ...kept,
      ...run.env,
    };
  }

  function look(watch) {
    const { run, place } = watch;
    if (overflowed(run, place)) return stop(watch, "output");
    const own = read(`/proc/${watch.pid}/status`);
    watch.peak = Math.max(watch.peak, kilobytes(own, "VmHWM"));
    let others = 0;
    if (++watch.ticks % TICKS_PER_WALK === 0) {
      for (const pid of relatives(watch)) if (pid !== watch.pid) others += kilobytes(read(`/proc/${pid}/status`), "VmRSS");
      watch.peak = Math.max(watch.peak, others + kilobytes(own, "VmRSS"));
    }
    if (watch.peak > run.memory_mb * (1 << 20) + NODE_BYTES) stop(watch, "memory");
  }

  function stop(watch, reason) {
    if (watch.reason === "exit") watch.reason = reason;
    sweep(watch);
    for (const fd of [watch.place.out, watch.place.err]) cut(fd, watch.run.output_bytes + 1);
  }

  function verdict(watch, signal) {
    sweep(watch);
    const { run, place, peak, reason } = watch;
    return { ended_by: endedBy(), peak_memory_bytes: peak };

    function endedBy() {
      if (overflowed(run, place)) return "output";
      // It ended by itself before the signal came.
      if (reason !== "exit" && signal === "SIGKILL") return reason;
      return signal && exhausted(place.err) ? "memory" : "exit";
    }
  }

  function exhausted(fd) {
    const { size } = fs.fstatSync(fd);
    const tail = slice(fd, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES)).toString("latin1");
    return /JavaScript heap out of memory|FATAL ERROR: .*Allocation failed|Fatal process out of memory/.test(tail);
  }

  const overflowed = (run, place) => [place.out, place.err].some((fd) => fs.fstatSync(fd).size > run.output_bytes);

  function sweep(watch) {
    kill("-" + watch.pid);
    if (alone) return kill("-1");
    for (let round = 0; round < 20; round++) {
      const living = relatives(watch).filter((pid) => !/^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`)));
      if (living.length === 0) return;
      living.forEach(kill);
    }
  }

  // A process that was not there before and descends from the run, or names its folder in its environment or as its
  // working folder: on a kernel with neighbours nothing else may be killed.
  function relatives(watch) {
    const present = pids().filter((pid) => alone || !watch.before.has(pid));
    for (const pid of present) if (related(pid, watch)) watch.family.add(pid);
    return present.filter((pid) => watch.family.has(pid));
  }

  function related(pid, { family, place }) {
    if (alone || family.has(pid)) return true;
    if (family.has(String(number(read(`/proc/${pid}/status`), "PPid")))) return true;
    return read(`/proc/${pid}/environ`).includes(place.base) || workingFolder(pid).startsWith(place.base);
  }

  // --- what it left: streams and collected files, inline when small, else as flat files of the session

  function harvest(run, place, index, opened) {
    const streams = [place.out, place.err].map((fd) => held(fd, run.output_bytes));
    const { files, problems } = collect(place.program, opened);
    // An open file outlives its name: the folder goes first, so that there is room for the copies.
    if ([...streams, ...files].some(({ size }) => size > spec.inline_bytes)) clean();
    const names = ["stdout", "stderr", ...files.keys()].map((name) => `${spec.prefix}-${index}-${name}`);
    const [stdout, stderr, ...contents] = [...streams, ...files].map((file, at) => keep(file, names[at]));
    return { stdout, stderr, files: contents, problems };
  }

  function held(fd, bound) {
    const { size } = fs.fstatSync(fd);
    return { fd, size: Math.min(size, bound), truncated: size > bound };
  }

  function collect(folder, opened) {
    const files = [];
    const problems = [];
    for (const name of spec.collect) {
      const { problem, full } = find(folder, name);
      if (problem) {
        problems.push({ path: name, reason: problem });
        continue;
      }
      const fd = fs.openSync(full, "r");
      opened.push(fd);
      files.push({ path: name, ...held(fd, spec.collect_bytes) });
    }
    return { files, problems };
  }

  function find(folder, name) {
    try {
      const full = inside(folder, fs.realpathSync(inside(folder, name)));
      fs.accessSync(full, fs.constants.R_OK);
      const stat = fs.statSync(full);
      if (!stat.isFile()) return { problem: "not_a_file" };
      return stat.size > spec.collect_bytes ? { problem: "too_big" } : { full };
    } catch (error) {
      return { problem: { ENOENT: "missing", ENOTDIR: "missing", EACCES: "unreadable" }[error.code] || "outside" };
    }
  }

  function keep({ fd, ...file }, name) {
    if (file.size <= spec.inline_bytes) return { ...file, inline: slice(fd, 0, file.size).toString("base64") };
    const target = fs.openSync(path.join(spec.root, name), "wx");
    for (let at = 0; at < file.size; at += COPY_BYTES) {
      fs.writeFileSync(target, slice(fd, at, Math.min(COPY_BYTES, file.size - at)));
    }
    fs.closeSync(target);
    return { ...file, name };
  }

  // --- the answer

  function answer(result) {
    const text = ascii(result);
    if (frame(text).length <= spec.frame_chars) return text;
    clean();
    const name = spec.prefix + "-answer";
    fs.writeFileSync(path.join(spec.root, name), text);
    return ascii({ name, size: text.length, crc: crc(text) });
  }

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
    };
    // A stdout that nobody drains never calls back.
    const patience = setTimeout(end, 1000);
    stdout.write(frame(text), end);
  }

  // --- small tools

  // What a program leaves behind may resist (folders without permissions, names that are no text, paths too long);
  // that is no reason to fail its run, and links are not followed.
  function clean() {
    const folder = litter;
    litter = null;
    if (folder === null) return;
    for (const attempt of [() => {}, () => unlock(Buffer.from(folder))]) {
      try {
        attempt();
        return fs.rmSync(folder, { recursive: true, force: true });
      } catch {
        continue;
      }
    }
  }

  function unlock(folder) {
    fs.chmodSync(folder, 0o700);
    for (const entry of fs.readdirSync(folder, { withFileTypes: true, encoding: "buffer" })) {
      if (entry.isDirectory()) unlock(Buffer.concat([folder, Buffer.from("/"), entry.name]));
    }
  }

  function slice(fd, position, length) {
    const bytes = Buffer.alloc(length);
    let read = 0;
    for (let n = 1; n > 0 && read < length; read += n) n = fs.readSync(fd, bytes, read, length - read, position + read);
    return bytes;
  }

  function cut(fd, bytes) {
    if (fs.fstatSync(fd).size > bytes) fs.ftruncateSync(fd, bytes);
  }

  function kill(pid) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      return;
    }
  }

  function pids() {
    try {
      return fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
    } catch {
      return [];
    }
  }

  function read(file) {
    try {
      return fs.readFileSync(file, "latin1");
    } catch {
      return "";
    }
  }

  function workingFolder(pid) {
    try {
      return fs.readlinkSync(`/proc/${pid}/cwd`);
    } catch {
      return "";
    }
  }

  function number(status, field) {
    const match = status.match(new RegExp(`^${field}:\\s+(\\d+)`, "m"));
    return match ? Number(match[1]) : 0;
  }

  const kilobytes = (status, field) => number(status, field) * 1024;

  main().then(answer).catch(failure).then(send);
})
