import { stdin, argv } from "node:process";

let text = "";
for await (const chunk of stdin.setEncoding("utf8")) text += chunk;

const counts = Object.create(null);
for (const [word] of text.toLowerCase().matchAll(/\p{L}+('\p{L}+)*/gu)) counts[word] = (counts[word] || 0) + 1;

const order = new Intl.Collator("en").compare;
const top = Object.entries(counts).sort((a, b) => b[1] - a[1] || order(a[0], b[0])).slice(0, argv[2] ?? 3);
console.log(top.map((entry) => entry.join(" ")).join("\n"));
