// Counting by sorting first: equal words stand together.
const fs = require("fs");
const words = fs.readFileSync("/dev/stdin", "utf8").toLowerCase().split(/[^\p{L}']+/u)
  .map((w) => w.replace(/^'+|'+$/g, "")).filter(Boolean).sort();
const runs = [];
for (const w of words) {
  const last = runs[runs.length - 1];
  if (last && last.w === w) last.n += 1;
  else runs.push({ w, n: 1 });
}
runs.sort((a, b) => b.n - a.n); // stable, so that ties stay in alphabetical order
const many = process.argv.length > 2 ? +process.argv[2] : 3;
process.stdout.write(runs.slice(0, many).map(({ w, n }) => `${w} ${n}\n`).join(""));
