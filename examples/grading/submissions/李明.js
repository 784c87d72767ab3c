// 先统计, 再排序
const 文本 = require("fs").readFileSync(0, "utf8").toLowerCase();
const 次数 = new Map();
for (const 词 of 文本.match(/\p{L}+(?:'\p{L}+)*/gu) || []) 次数.set(词, (次数.get(词) || 0) + 1);
[...次数]
  .sort((甲, 乙) => 乙[1] - 甲[1] || (甲[0] < 乙[0] ? -1 : 1))
  .slice(0, process.argv[2] || 3)
  .forEach(([词, 次]) => console.log(词, 次));
