"use strict";
// A journaled LokiJS database under a random load, to be killed: node journal_store.js load|dump FILE FIRST_NUMBER.
// `load` makes transactions and prints a line of JSON for each, {blob: value|null, ...}, and another, true, once it is
// on disk. A blob's value is the list of its blocks. `dump` prints all blobs the same way.
const fs = require("node:fs");
const { setImmediate: turn } = require("node:timers/promises");
const node = `${__dirname}/../../../worker/local/node`;
const { journaled } = require(`${node}/journal.js`);
const Loki = journaled(require(`${node}/node_modules/lokijs`), 3000);

const NAMES = 12;
const [mode, file, first] = process.argv.slice(2);
const database = new Loki(file);
const value = (document) => document && document.committedBlocksInOrder;

function load() {
  return new Promise((resolve, reject) => {
    const done = (error) => (error ? reject(error) : resolve());
    if (fs.existsSync(file)) database.loadDatabase({}, done);
    else done();
  });
}

const changes = {
  replace(blobs, name, number) {
    const found = blobs.findOne({ name });
    if (found) blobs.remove(found);
    blobs.insert({ name, ttl: number, committedBlocksInOrder: [number] });
  },
  append(blobs, name, number) {
    const found = blobs.findOne({ name });
    if (!found) return;
    found.committedBlocksInOrder.push(number);
    blobs.update(found);
  },
  commit(blobs, name, number) {
    const found = blobs.findOne({ name });
    if (!found) return;
    found.committedBlocksInOrder = [number, number + 0.5];
    blobs.update(found);
  },
  remove(blobs, name) {
    blobs.findAndRemove({ name });
  },
  removeMany(blobs, name) {
    blobs.findAndRemove({ name: { $in: [name, "blob-00", "blob-01"] } });
  },
};
const KINDS = ["append", "append", "append", "append", "replace", "replace", "replace", "commit", "remove", "removeMany"];

async function change(blobs, number) {
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  const before = contents(blobs);
  const names = Object.keys(before);
  for (const name of [pick(names), pick(names)]) changes[pick(KINDS)](blobs, name, number);
  const after = contents(blobs);
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  fs.writeSync(1, `${JSON.stringify(Object.fromEntries(changed.map((name) => [name, after[name]])))}\n`);
  await null;
  fs.writeSync(1, "true\n");
  await turn();
}

function contents(blobs) {
  const names = Array.from({ length: NAMES }, (_, index) => `blob-${String(index).padStart(2, "0")}`);
  return Object.fromEntries(names.map((name) => [name, structuredClone(value(blobs.findOne({ name }))) ?? null]));
}

async function main() {
  await load();
  const blobs = database.getCollection("blobs") ?? database.addCollection("blobs", { indices: ["name"] });
  await new Promise((resolve) => database.saveDatabase(resolve));
  if (mode === "dump") {
    const unmarked = blobs.data.filter((document) => document.ttl === undefined || document.ttl === null);
    if (unmarked.length > 0) throw new Error("a field named like one of LokiJS's own was lost");
    process.stdout.write(`${JSON.stringify(contents(blobs))}\n`);
    return;
  }
  for (let number = Number(first); ; number += 1) await change(blobs, number);
}

main();
