// A heap would do, but sorting is fast enough.
async function main() {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  const text = Buffer.concat(parts).toString().toLowerCase();
  const counts = new Map();
  const word = /\p{L}+(?:'\p{L}+)*/gu;
  for (let match; (match = word.exec(text)); ) counts.set(match[0], (counts.get(match[0]) || 0) + 1);
  const rows = [...counts].map(([name, count]) => ({ name, count }));
  rows.sort((a, b) => b.count - a.count || a.name.localeCompare(b.name, "en"));
  for (const { name, count } of rows.slice(0, Number(process.argv[2] || 3))) console.log(name, count);
}
main();
