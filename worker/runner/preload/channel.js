// Runs in the process of a harness before it: the submission will run there too. What it must not change is taken or
// locked here, in time; the key by which the runner knows a report stays in this scope.

"use strict";
const fs = require("fs");

const KEY_CHARS = 32;
const CHANNEL = 3;
const TEXT_CHARS = 2000;
const { apply } = Reflect;
const { slice } = String.prototype;
const { fstatSync, writeSync } = fs;
const { stringify } = JSON;
// As a bigint: Node looks again at the numbers of the last stat where it resolves links, and takes fright at a socket.
const inode = () => fstatSync(CHANNEL, { bigint: true }).ino;
const quoted = (text) => stringify(apply(slice, text, [0, TEXT_CHARS]));

function lock(object, ...names) {
  for (const name of names.length ? names : Reflect.ownKeys(object)) {
    const found = Object.getOwnPropertyDescriptor(object, name);
    if (!found || !found.configurable) continue;
    const writable = "value" in found ? { writable: false } : {};
    Object.defineProperty(object, name, { ...found, ...writable, configurable: false });
  }
}

function deny(object, ...names) {
  const never = { value: undefined, writable: false, configurable: false };
  for (const name of names) Object.defineProperty(object, name, never);
}

// Worker threads and children inherit the flag that loads this, but not the mark: their third file is another.
function opened() {
  if (!process.env.JSWORKER_HARNESS) return null;
  delete process.env.JSWORKER_HARNESS;
  const key = Buffer.alloc(KEY_CHARS);
  fs.readSync(CHANNEL, key, 0, KEY_CHARS, null);
  return { key: key.toString("latin1"), inode: inode() };
}

const channel = opened();

// One line: the type of what is reported, and its fields, which are JSON already.
function send(type, fields) {
  try {
    // Another file under that number would be the submission's, which must not see the key.
    if (inode() !== channel.inode) return;
    writeSync(CHANNEL, `\n${channel.key}{"type":"${type}"${fields}}\n`);
  } catch {
    return;
  }
}

function text(value) {
  try {
    return `${value}`;
  } catch {
    return "";
  }
}

if (channel) {
  const assert = require("assert");
  const Module = require("module");
  for (const object of [assert, assert.strict, Module.prototype]) lock(object);
  lock(Module, "_load", "_resolveFilename", "_cache");
  deny(Module, "register");
  // What stands in the cache under the name of a module of Node's would be taken for it.
  for (const name of Module.builtinModules) Object.defineProperty(Module._cache, name, { value: undefined });
  // The ways by which a program reads its own scopes and memory without leaving JavaScript.
  const inspectors = ["inspector", "inspector/promises"].map(require);
  for (const inspector of inspectors) deny(inspector, "Session", "open");
  deny(require("v8"), "getHeapSnapshot", "writeHeapSnapshot");
  deny(process, "binding", "_linkedBinding", "_debugProcess");
}
