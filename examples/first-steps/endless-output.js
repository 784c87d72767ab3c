const { writeSync } = require("node:fs");
const line = "spam ".repeat(20_000) + "\n";
for (;;) writeSync(1, line);
