process.stdin.on("data", (chunk) => {
  console.log(String(chunk).toUpperCase());
});
