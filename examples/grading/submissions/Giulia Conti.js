import { readFileSync } from "node:fs";

const limit = Number(process.argv.at(2) ?? 3);
const words = readFileSync(0, "utf8").toLowerCase().match(/\p{L}+(?:'\p{L}+)*/gu) ?? [];
const counts = words.reduce((m, w) => m.set(w, (m.get(w) ?? 0) + 1), new Map());
const compare = ([a, m], [b, n]) => n - m || a.localeCompare(b);
for (const [w, n] of [...counts].sort(compare).slice(0, limit)) console.log(`${w} ${n}`);
