const kept = [];
for (;;) kept.push({ text: "x".repeat(100) + kept.length });
