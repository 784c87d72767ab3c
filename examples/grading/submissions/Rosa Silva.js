const text = require("fs").readFileSync("input.txt", "utf8");
console.log(text.split(" ").length);
