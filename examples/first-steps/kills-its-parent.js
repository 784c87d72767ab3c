for (const signal of ["SIGTERM", "SIGKILL"]) {
  try {
    process.kill(process.ppid, signal);
  } catch {}
}
setTimeout(() => console.log("still here"), 200);
