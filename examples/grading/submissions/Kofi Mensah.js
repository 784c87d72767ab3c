const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const counts = new Map();
for (const word of text.match(/\p{L}+/gu) || []) counts.set(word, (counts.get(word) || 0) + 1);
const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
for (let i = 0; i < (process.argv[2] || 3); i++) console.log(sorted[i][0], sorted[i][1]);
