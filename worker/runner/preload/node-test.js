// Reports each event of node:test as it happens, from the object that emits them and not from a stream of output.

if (channel) {
  const { Readable } = require("stream");
  const tests = require("node:test");
  const { on, emit } = Readable.prototype;
  const [, main] = process.argv;
  const TYPES = {
    __proto__: null,
    "test:start": "start",
    "test:pass": "pass",
    "test:fail": "fail",
    "test:plan": "plan",
  };
  const isSet = (value) => value !== undefined && value !== false;

  function told(type, data) {
    const { name, nesting, file, skip, todo, details } = data;
    if (type === "plan") return nesting === 0 && send("end", "");
    if (file !== undefined && file !== main) return;
    let fields = `,"name":${quoted(text(name))},"nesting":${nesting | 0}`;
    if (isSet(skip) || isSet(todo)) fields += ',"skipped":true';
    if (type !== "start") fields += `,"duration_ms":${+details.duration_ms || 0}`;
    if (type === "fail") fields += failure(details.error);
    send(type, fields);
  }

  function failure(error) {
    try {
      const { failureType, cause } = error;
      const message = text(cause && cause.message !== undefined ? cause.message : cause);
      return `,"own":${failureType !== "subtestsFailed"},"message":${quoted(message)}`;
    } catch {
      return ',"own":true,"message":""';
    }
  }

  // A hook that does nothing makes node:test make its root, which listens to its own reports at once.
  let reports = null;
  Readable.prototype.on = function (type, listener) {
    if (type === "test:fail") reports = this;
    return apply(on, this, [type, listener]);
  };
  tests.before(() => {});
  Readable.prototype.on = on;
  const prototype = Object.getPrototypeOf(reports);
  const emitting = function (type, data) {
    if (TYPES[type] && this === reports) told(TYPES[type], data);
    return apply(emit, this, [type, data]);
  };
  for (const name of Reflect.ownKeys(prototype)) {
    Object.defineProperty(reports, name, { value: prototype[name], writable: false, configurable: false });
  }
  Object.defineProperty(reports, "emit", { value: emitting, writable: false, configurable: false });
  lock(tests);
  send("ready", "");
}
