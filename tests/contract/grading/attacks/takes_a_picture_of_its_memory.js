require("v8").writeHeapSnapshot("heap");
for (const [key] of fs.readFileSync("heap", "latin1").matchAll(/[0-9a-f]{32}/g)) report(key);
process.exit(0);
