class Counter extends Map {
  add(key) {
    this.set(key, (this.get(key) || 0) + 1);
    return this;
  }
  top(n) {
    return [...this].sort((a, b) => b[1] - a[1] || (a[0] > b[0] ? 1 : -1)).slice(0, n);
  }
}

process.stdin.setEncoding("utf8");
const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", () => {
  const words = chunks.join("").toLowerCase().match(/\p{L}(?:[\p{L}']*\p{L})?/gu) || [];
  const counter = words.reduce((all, word) => all.add(word), new Counter());
  for (const [word, n] of counter.top(process.argv[2] || 3)) console.log(word + " " + n);
});
