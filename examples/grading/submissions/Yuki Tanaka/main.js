const { words } = require("./lib/words");
const { count, most } = require("./lib/count");
const text = require("fs").readFileSync(0, "utf8");
for (const [word, n] of most(count(words(text)), Number(process.argv[2] ?? 3))) console.log(`${word} ${n}`);
