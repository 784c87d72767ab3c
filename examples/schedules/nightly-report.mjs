// Last night's sales by product, as Markdown. The day is that of the planned run, not of the clock: a run
// that is made up for later reports on the same day as one in time.
import { readFile, writeFile } from "node:fs/promises";

const planned = new Date(process.env.JSWORKER_PLANNED_AT ?? Date.now());
const day = new Date(planned.getTime() - 86_400_000).toISOString().slice(0, 10);

const [, ...rows] = (await readFile("sales.csv", "utf8")).trim().split("\n");
const totals = new Map();
for (const row of rows) {
  const [product, amount] = row.split(",");
  totals.set(product, (totals.get(product) ?? 0) + Number(amount));
}

const lines = [...totals].sort((a, b) => b[1] - a[1]).map(([product, sum]) => `| ${product} | ${sum.toFixed(2)} |`);
const report = [`# Sales of ${day}`, "", "| product | total |", "|---|---|", ...lines, ""].join("\n");
await writeFile("report.md", report);
console.log(`run ${process.env.JSWORKER_RUN_NUMBER} of ${process.env.JSWORKER_SCHEDULE}: ${totals.size} products, ${day}`);
