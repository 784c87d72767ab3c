fs.writeFileSync("other.cjs", "require('node:test').test('adds', () => {})");
const env = { ...process.env, JSWORKER_HARNESS: "1" };
spawnSync(process.execPath, [...process.execArgv, "other.cjs"], { env, stdio: [0, 1, 2, 3], timeout: 500 });
