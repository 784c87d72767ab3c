const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const counts = new Map();
for (const word of text.match(/[a-z']+/g) || []) counts.set(word, (counts.get(word) || 0) + 1);
const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
for (const [word, n] of sorted.slice(0, process.argv[2] || 3)) console.log(word, n);
