const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const counts = {};
for (const word of text.match(/\p{L}+(?:'\p{L}+)*/gu) || []) counts[word] = (counts[word] || 0) + 1;
const words = Object.keys(counts).sort((a, b) => counts[b] - counts[a] || (a < b ? -1 : 1));
for (const word of words.slice(0, process.argv[2] || 3)) console.log(word, counts[word]);
