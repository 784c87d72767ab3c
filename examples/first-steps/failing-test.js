const assert = require("node:assert/strict");

const sum = (numbers) => numbers.reduce((a, b) => a - b, 0);
assert.equal(sum([1, 2, 3]), 6, "the sum of 1, 2 and 3");
