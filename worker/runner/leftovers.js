// What a run left: streams and collected files, inline when small, else as flat files of the session; and the rest.

function harvest(run, place, index, opened) {
  const { files, problems } = collect(place.program, opened);
  const all = [held(place.out, run.output_bytes), held(place.err, run.output_bytes), ...files];
  // An open file outlives its name: the folder goes first, so that there is room for the copies.
  if (all.reduce((sum, { size }) => sum + size, 0) > Math.min(spec.inline_bytes, spare)) clean();
  const names = ["stdout", "stderr", ...files.keys()].map((name) => `${spec.prefix}-${index}-${name}`);
  const [stdout, stderr, ...contents] = all.map((file, at) => keep(file, names[at]));
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
  if (file.size <= Math.min(spec.inline_bytes, spare)) {
    spare -= file.size;
    return { ...file, inline: slice(fd, 0, file.size).toString("base64") };
  }
  stash ??= nameless();
  const at = fs.fstatSync(stash).size;
  copy(fd, 0, file.size, stash);
  stashed.push({ name, at, size: file.size });
  return { ...file, name };
}

// What has a name, a later run can change, and it can plant something where it learned that one is to be: so all that
// does not fit into the answer lies in one file without a name, until no program runs any more.
function nameless() {
  const name = path.join(root, "kept-" + crypto.randomUUID());
  const fd = fs.openSync(name, "wx+");
  fs.rmSync(name);
  return fd;
}

// From the end, so that what was taken out gives its room to the next.
function unpack() {
  for (const { name, at, size } of stashed.reverse()) {
    const target = fs.openSync(path.join(root, name), "wx");
    copy(stash, at, size, target);
    fs.closeSync(target);
    fs.ftruncateSync(stash, at);
  }
}

function copy(fd, position, size, target) {
  for (let done = 0; done < size; done += COPY_BYTES) {
    fs.writeFileSync(target, slice(fd, position + done, Math.min(COPY_BYTES, size - done)));
  }
}

function clean() {
  const folder = litter;
  litter = null;
  if (folder !== null) remove(folder);
}

// What a program leaves behind may resist (folders without permissions, names that are no text, paths too long);
// that is no reason to fail its run, and links are not followed.
function remove(folder) {
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
