// Cleans an uploaded CSV: trims, drops empty and repeated lines, and makes numbers of what is one.
// Leaves clean.csv, and prints what the next steps go by.
import { readFileSync, writeFileSync } from 'node:fs';

function fields(line) {
  const found = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g).slice(0, line.endsWith(',') ? undefined : -1);
  return found.map((field) => field.replace(/,$/, '').replace(/^"(.*)"$/, '$1').replaceAll('""', '"').trim());
}

const number = (text) => (/^-?[\d,]+(\.\d+)?$/.test(text) ? Number(text.replaceAll(',', '')) : null);

const [header, ...lines] = readFileSync('upload.csv', 'utf8').split(/\r?\n/);
const [label, ...columns] = fields(header);
const rows = [...new Set(lines.map((line) => line.trim()).filter(Boolean))]
  .map(fields)
  .map(([name, ...values]) => [name, ...columns.map((_, index) => number(values[index] ?? ''))]);

const text = [[label, ...columns], ...rows].map((row) => row.map((value) => value ?? '').join(',')).join('\n');
writeFileSync('clean.csv', `${text}\n`);
const missing = rows.flat().filter((value) => value === null).length;
console.log(JSON.stringify({ columns, rows: rows.length, missing }));
