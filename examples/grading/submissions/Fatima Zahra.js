// No tie-breaking yet.
const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const counts = new Map();
for (const word of text.match(/\p{L}+(?:'\p{L}+)*/gu) || []) counts.set(word, (counts.get(word) || 0) + 1);
[...counts].sort((a, b) => b[1] - a[1]).slice(0, process.argv[2] || 3).forEach(([w, n]) => console.log(w, n));
