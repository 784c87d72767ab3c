function slice(fd, position, length) {
  const bytes = Buffer.alloc(length);
  let at = 0;
  for (let n = 1; n > 0 && at < length; at += n) n = fs.readSync(fd, bytes, at, length - at, position + at);
  return bytes;
}

function writable(folder) {
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

// A program may have shut the folder that it shares with those after it.
function reopen(folder) {
  if (!writable(folder)) fs.chmodSync(folder, 0o755);
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
