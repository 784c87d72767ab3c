const text = require("fs").readFileSync(0, "utf8");
const counts = new Map();
for (const word of text.split(/\s+/)) if (word) counts.set(word, (counts.get(word) || 0) + 1);
const sorted = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
for (const [word, n] of sorted.slice(0, 3)) console.log(word, n);
