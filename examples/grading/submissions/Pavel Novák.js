const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const words = text.match(/\p{L}+(?:'\p{L}+)*/gu) || [];
const all = words.filter((word, i) => words.indexOf(word) === i);
const rows = all.map((word) => [word, words.filter((other) => other === word).length]);
rows.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
for (const [word, n] of rows.slice(0, process.argv[2] || 3)) console.log(word, n);
