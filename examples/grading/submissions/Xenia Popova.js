const text = require("fs").readFileSync(0, "utf8");
const all = [];
for (;;) all.push(text + all.length + " ".repeat(1 << 16)); // until there is enough
