"use strict";
const readline = require("readline");
const counts = new Map();
readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    for (const word of line.toLowerCase().match(/\p{Letter}+(?:'\p{Letter}+)*/gu) || []) {
      counts.set(word, 1 + (counts.get(word) || 0));
    }
  })
  .on("close", () => {
    const words = Array.from(counts.keys());
    words.sort((a, b) => counts.get(b) - counts.get(a) || a.localeCompare(b));
    words.slice(0, parseInt(process.argv[2] || "3")).forEach((word) => console.log(`${word} ${counts.get(word)}`));
  });
