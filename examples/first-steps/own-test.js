const assert = require("node:assert/strict");

function reverse(text) {
  return [...text].reverse().join("");
}
assert.equal(reverse("añb😀"), "😀bña");
console.log("all assertions hold");
