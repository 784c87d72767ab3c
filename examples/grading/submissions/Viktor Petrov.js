const lodash = require("lodash");
const text = require("fs").readFileSync(0, "utf8").toLowerCase();
const counts = lodash.countBy(text.match(/\p{L}+/gu));
for (const [w, n] of lodash.sortBy(Object.entries(counts), (e) => -e[1]).slice(0, 3)) console.log(w, n);
