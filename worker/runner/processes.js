// One process, from its start to the end of all that it left running.

function supervise(run, place) {
  const before = alone ? null : new Set(pids());
  const started = performance.now();
  const child = spawn(process.execPath, [...flags(run, place.base), path.join(place.program, spec.main), ...run.args], {
    cwd: place.program,
    env: environment(run, place.base),
    stdio: [place.stdin, place.out, place.err, ...(spec.harness ? ["pipe"] : [])],
    detached: true,
  });
  const watch = { run, place, before, pid: String(child.pid), family: new Set(), peak: 0, ticks: 0, reason: "exit" };
  watch.family.add(watch.pid);
  const report = spec.harness && reported(child.stdio[3]);
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => stop(watch, "timeout"), run.timeout_ms);
    const ticker = setInterval(() => look(watch), TICK_MS);
    const over = (settle) => {
      clearTimeout(limit);
      clearInterval(ticker);
      settle();
    };
    child.on("error", (error) => over(() => reject(error)));
    child.on("exit", async (code, signal) => {
      const duration_ms = Math.round(performance.now() - started);
      const ended = { exit_code: code, signal, duration_ms, ...verdict(watch, signal) };
      if (report) ended.report = await report();
      over(() => resolve(ended));
    });
  });
}

function flags(run, base) {
  // A heap that V8 may fill to the limit passes the bound of the whole process a little before: much lower, and V8
  // collects garbage for seconds before it gives up.
  const heap = ["--max-old-space-size=" + run.memory_mb];
  if (spec.harness) heap.push("--require", preload(base));
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
    ...(spec.harness ? { JSWORKER_HARNESS: "1" } : {}),
  };
}

function look(watch) {
  const { run, place } = watch;
  if (overflowed(run, place)) return stop(watch, exhausted(place.err) ? "memory" : "output");
  const own = read(`/proc/${watch.pid}/status`);
  watch.peak = Math.max(watch.peak, kilobytes(own, "VmHWM"));
  if (++watch.ticks % TICKS_PER_WALK === 0) {
    let all = 0;
    for (const pid of relatives(watch)) all += kilobytes(read(`/proc/${pid}/status`), "VmRSS");
    watch.peak = Math.max(watch.peak, all);
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
    if (reason === "memory" || (signal && exhausted(place.err))) return "memory";
    if (overflowed(run, place)) return "output";
    // With another signal or none it ended by itself before ours came.
    return signal === "SIGKILL" ? reason : "exit";
  }
}

// V8 says first on stderr that its heap is full, and more than a small bound of output takes.
function exhausted(fd) {
  const { size } = fs.fstatSync(fd);
  const tail = slice(fd, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES)).toString("latin1");
  return /<--- Last few GCs --->|FATAL ERROR: .*Allocation failed|Fatal process out of memory/.test(tail);
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
