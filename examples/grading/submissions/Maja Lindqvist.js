const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const counts = [];
for (const word of text.match(/\p{L}+(?:'\p{L}+)*/gu) || []) {
  const found = counts.find((entry) => entry.word === word); // looks through all of them, each time
  if (found) found.n += 1;
  else counts.push({ word, n: 1 });
}
counts.sort((a, b) => b.n - a.n || (a.word < b.word ? -1 : 1));
for (const { word, n } of counts.slice(0, process.argv[2] || 3)) console.log(word, n);
