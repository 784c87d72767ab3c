// Runs in the process of a harness before it: the submission will run there too. What it must not change is taken or
// locked here, in time; the key by which the runner knows a report stays in this scope.

"use strict";
const fs = require("fs");
const { isMainThread } = require("worker_threads");

const KEY_CHARS = 32;
const CHANNEL = 3;
const TEXT_CHARS = 2000;
const { apply } = Reflect;
const { slice } = String.prototype;
const { fstatSync, writeSync } = fs;
const { stringify } = JSON;
const quoted = (text) => stringify(apply(slice, text, [0, TEXT_CHARS]));

function lock(object, ...names) {
  for (const name of names.length ? names : Reflect.ownKeys(object)) {
    const found = Object.getOwnPropertyDescriptor(object, name);
    if (!found || !found.configurable) continue;
    const writable = "value" in found ? { writable: false } : {};
    Object.defineProperty(object, name, { ...found, ...writable, configurable: false });
  }
}

// Nothing in a worker thread, nor in a child that inherited the flag: neither has the key.
function opened() {
  try {
    const key = Buffer.alloc(KEY_CHARS);
    if (!isMainThread || fs.readSync(CHANNEL, key, 0, KEY_CHARS, null) !== KEY_CHARS) return null;
    return { key: key.toString("latin1"), inode: fs.fstatSync(CHANNEL).ino };
  } catch {
    return null;
  }
}

const channel = opened();

// One line: the type of what is reported, and its fields, which are JSON already.
function send(type, fields) {
  try {
    // Another file under that number would be the submission's, which must not see the key.
    if (fstatSync(CHANNEL).ino !== channel.inode) return;
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
  for (const object of [assert, assert.strict]) lock(object);
  lock(Module, "_load", "_resolveFilename", "register");
  process.binding = undefined;
  lock(process, "binding");
}
