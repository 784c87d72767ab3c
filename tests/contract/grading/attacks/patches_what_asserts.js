const calm = () => {};
for (const name of ["assert", "assert/strict"]) {
  const assert = require(name);
  for (const key of Object.keys(assert)) {
    tried(() => (assert[key] = calm));
    tried(() => Object.defineProperty(assert, key, { value: calm }));
  }
}
tried(() => require("module").syncBuiltinESMExports());
