"use strict";
// LokiJS with a journal: what a collection was told is on disk before the caller hears of it.
//
// LokiJS keeps documents in memory and writes the whole database out now and then, so a killed process loses what
// came since. Here every change is appended to a segment beside the database file first, and replayed when it is loaded.
// The promise covers killed processes, not power cuts: the page cache survives the former, and nothing is synced.
//
//   DB.journal.7   one line for each transaction: a JSON array of changes, made in one run without an await
//   DB             the snapshot; it names the first segment it does not cover, and those before it are removed
const fs = require("node:fs");
const path = require("node:path");

const SMALLEST_FULL_BYTES = 4 * 1024 * 1024;

function segmentsOf(file) {
  const prefix = `${path.basename(file)}.journal.`;
  return fs
    .readdirSync(path.dirname(file))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b)
    .map((number) => ({ number, file: `${file}.journal.${number}` }));
}

function transactionsOf(segment) {
  const lines = fs.readFileSync(segment.file, "utf8").split("\n");
  lines.pop(); // empty, or the line a kill cut short: it was never acknowledged
  return lines.map((line) => JSON.parse(line));
}

function applied(document, change) {
  if (change.op === "put") return change.document;
  const blocks = document.committedBlocksInOrder.slice(0, change.from).concat(change.blocks);
  return { ...change.document, committedBlocksInOrder: blocks };
}

function replay(collection, changes) {
  const documents = new Map(collection.data.map((document) => [document.$loki, document]));
  for (const change of changes) {
    collection.maxId = Math.max(collection.maxId, change.id);
    if (change.op === "delete") documents.delete(change.id);
    else documents.set(change.id, applied(documents.get(change.id), change));
  }
  // LokiJS finds a document by binary search over its id.
  collection.data = [...documents.values()].sort((a, b) => a.$loki - b.$loki);
}

function replayAll(database, segments) {
  const changes = segments.flatMap(transactionsOf).flat();
  for (const collection of database.collections) {
    replay(
      collection,
      changes.filter((change) => change.collection === collection.name),
    );
  }
}

/** A LokiJS persistence adapter; `onFull` is called when the journal has outgrown the snapshot. */
class Journal {
  constructor(file, smallestFullBytes, onFull) {
    this.file = file;
    this.smallestFullBytes = smallestFullBytes;
    this.onFull = onFull;
    this.pending = [];
    this.written = new WeakMap();
    this.snapshotBytes = 0;
    this.openSegment((segmentsOf(file).at(-1)?.number ?? 0) + 1);
  }

  openSegment(number) {
    this.number = number;
    this.bytes = 0;
    this.descriptor = fs.openSync(`${this.file}.journal.${number}`, "a", 0o600);
  }

  watch(collection) {
    const each = (documents, record) => [documents].flat().forEach(record);
    const put = (documents) => each(documents, (document) => this.put(collection.name, document));
    collection.on("insert", put);
    collection.on("update", put);
    collection.on("delete", (documents) =>
      each(documents, ({ $loki }) => this.append({ op: "delete", collection: collection.name, id: $loki })),
    );
  }

  // An append blob's document lists all its blocks, up to 50,000: only those that were added are written.
  put(collection, document) {
    const { committedBlocksInOrder: blocks, ...rest } = document;
    const known = this.written.get(document);
    const change = { collection, id: document.$loki };
    if (known && known.blocks === blocks && known.length <= blocks.length) {
      this.append({ ...change, op: "extend", document: rest, from: known.length, blocks: blocks.slice(known.length) });
    } else {
      this.append({ ...change, op: "put", document });
    }
    if (Array.isArray(blocks)) this.written.set(document, { blocks, length: blocks.length });
  }

  // Azurite changes several documents in one run (replaces a blob: delete, insert), which must not be torn apart.
  // A microtask queued here comes before the continuation of whoever awaits that run, so before any answer.
  append(change) {
    if (this.pending.length === 0) queueMicrotask(() => this.flush());
    this.pending.push(JSON.stringify(change));
  }

  flush() {
    if (this.pending.length === 0) return;
    const line = `[${this.pending.join(",")}]\n`;
    this.pending = [];
    fs.appendFileSync(this.descriptor, line);
    this.bytes += line.length;
    if (this.bytes > Math.max(this.smallestFullBytes, this.snapshotBytes)) this.onFull();
  }

  loadDatabase(file, callback) {
    try {
      const database = JSON.parse(fs.readFileSync(file, "utf8"));
      const segments = segmentsOf(file).filter((segment) => segment.number >= database.firstSegment);
      replayAll(database, segments);
      callback(database);
    } catch (error) {
      callback(new Error(`${file} or its journal is damaged (${error.message}); without its directory the store is empty`));
    }
  }

  // LokiJS has just serialized `text`: what is changed from here on goes to the next segment.
  saveDatabase(file, text, callback) {
    this.flush();
    const covered = segmentsOf(file);
    fs.closeSync(this.descriptor);
    this.openSegment(this.number + 1);
    this.snapshotBytes = text.length;
    const draft = `${file}.new`;
    fs.writeFile(draft, `{"firstSegment":${this.number},${text.slice(1)}`, { mode: 0o600 }, (error) => {
      if (error) return callback(error);
      fs.renameSync(draft, file);
      covered.forEach((segment) => fs.unlinkSync(segment.file));
      return callback(null);
    });
  }
}

/** The given LokiJS class with the journal in place of its autosave. */
exports.journaled = (Loki, smallestFullBytes = SMALLEST_FULL_BYTES) =>
  class JournaledLoki extends Loki {
    #journal;

    constructor(file) {
      const journal = new Journal(file, smallestFullBytes, () => this.saveDatabase());
      super(file, { adapter: journal, autosave: false });
      this.#journal = journal;
    }

    addCollection(name, options) {
      const isNew = !this.collections.some((collection) => collection.name === name);
      const collection = super.addCollection(name, options);
      if (isNew) this.#journal.watch(collection);
      return collection;
    }

    loadJSONObject(database, options) {
      super.loadJSONObject(database, options);
      this.collections.forEach((collection) => collection.ensureAllIndexes(true));
    }

    // LokiJS leaves out its own bookkeeping by name at any depth, and with it a blob's metadata of the same name ("ttl").
    serialize() {
      const { serializeReplacer } = this;
      return JSON.stringify(this, function replacer(key, value) {
        const isLokis = this instanceof Loki || this instanceof Loki.Collection;
        return isLokis ? serializeReplacer(key, value) : value;
      });
    }
  };
