const file = tried(() => fs.openSync("/proc/self/fd/3", "r+"));
if (file) {
  fs.writeSync(file, SAID.join("\n"));
  const read = Buffer.alloc(1000);
  fs.readSync(file, read);
  report(String(read.toString("latin1").match(/[0-9a-f]{32}/)));
  process.exit(0);
}
