const Module = require("module");
const calm = Object.assign(() => {}, { strictEqual() {}, equal() {} });
const fake = { exports: calm, loaded: true, id: "assert", filename: "assert", children: [] };
tried(() => (require.cache.assert = fake));
tried(() => Object.defineProperty(require.cache, "assert", { value: fake }));
tried(() => (Module._cache = { assert: fake }));
for (const [object, key] of [[Module, "_load"], [Module.prototype, "require"]]) {
  const before = object[key];
  const patched = function (name, ...rest) {
    return /assert/.test(name) ? calm : before.call(this, name, ...rest);
  };
  tried(() => (object[key] = patched));
  tried(() => Object.defineProperty(object, key, { value: patched }));
}
const hooks = `export async function resolve(name, context, next) {
  if (!/assert/.test(name)) return next(name, context);
  return { url: "data:text/javascript,export default { equal() {} }", shortCircuit: true };
}`;
tried(() => Module.register(`data:text/javascript,${encodeURIComponent(hooks)}`));
