const input = require("fs").readFileSync(0, "utf8");
const counts = {};
for (const word of input.toLowerCase().match(/\p{L}+(?:'\p{L}+)*/gu) || []) {
  const key = "w:" + word; // so that no word is a property that every object has
  counts[key] = (counts[key] || 0) + 1;
}
const keys = Object.keys(counts).sort((a, b) => counts[b] - counts[a] || (a < b ? -1 : a > b ? 1 : 0));
console.log(keys.slice(0, process.argv[2] || 3).map((key) => key.slice(2) + " " + counts[key]).join("\n"));
