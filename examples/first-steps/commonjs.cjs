const path = require("node:path");

console.log(path.basename(__filename), require.main === module);
