const text = require("fs").readFileSync(0, "utf8")
const counts = new Map()
for (const word of text.match(/\p{L}+/gu) {
  counts.set(word, (counts.get(word) || 0) + 1)
}
console.log(counts)
