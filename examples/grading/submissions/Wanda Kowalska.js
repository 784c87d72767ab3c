const text = require("fs").readFileSync(0, "utf8");
let at = 0;
const counts = {};
while (at < text.length) {
  const word = text.slice(at).match(/^\w+/);
  if (word) {
    counts[word[0]] = (counts[word[0]] || 0) + 1;
    at += word[0].length;
  }
  // a space is never skipped
}
