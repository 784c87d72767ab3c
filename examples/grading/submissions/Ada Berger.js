const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const counts = new Map();
for (const word of text.match(/\p{L}+(?:'\p{L}+)*/gu) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
const sorted = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
for (const [word, count] of sorted.slice(0, Number(process.argv[2] ?? 3))) console.log(word, count);
