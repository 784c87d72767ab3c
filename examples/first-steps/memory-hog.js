const kept = [];
for (;;) kept.push(Buffer.alloc(16 << 20, 1));
