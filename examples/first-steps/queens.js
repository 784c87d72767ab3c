function place(row, columns, left, right) {
  if (row === 8) return 1;
  let found = 0;
  for (let free = 255 & ~(columns | left | right); free; free &= free - 1) {
    const bit = free & -free;
    found += place(row + 1, columns | bit, ((left | bit) << 1) & 255, (right | bit) >> 1);
  }
  return found;
}
console.log(`${place(0, 0, 0, 0)} ways to place eight queens`);
