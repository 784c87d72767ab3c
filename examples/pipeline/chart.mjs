// Draws one column of clean.csv as bars: chart.svg.
import { readFileSync, writeFileSync } from 'node:fs';

const column = process.argv[2];
const [header, ...rows] = readFileSync('clean.csv', 'utf8').trim().split('\n').map((line) => line.split(','));
const index = header.indexOf(column);
const values = rows.map((row) => ({ name: row[0], value: Number(row[index] || 0) }));
const most = Math.max(...values.map(({ value }) => value), 1);

const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const [width, height, foot] = [60, 160, 24];
const bars = values.map(({ name, value }, place) => {
  const size = Math.round((value / most) * height);
  const x = place * width + 8;
  return `<rect x="${x}" y="${height - size + 20}" width="${width - 16}" height="${size}" fill="#4472c4"/>
  <text x="${x}" y="${height + 20 + foot - 8}">${escaped(name)}</text>
  <text x="${x}" y="${height - size + 14}">${value}</text>`;
});
writeFileSync('chart.svg', `<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="10"
  viewBox="0 0 ${values.length * width} ${height + 20 + foot}">
  <title>${escaped(column)}</title>
  ${bars.join('\n  ')}
</svg>
`);
console.log(JSON.stringify({ column, bars: values.length, total: values.reduce((sum, { value }) => sum + value, 0) }));
