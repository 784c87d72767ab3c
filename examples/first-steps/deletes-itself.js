const { rmSync, existsSync } = require("node:fs");

rmSync(__filename);
console.log("gone:", !existsSync(__filename));
