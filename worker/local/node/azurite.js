"use strict";
// Azurite's blob service as a child of the local stack: node azurite.js DIRECTORY PORT [FAULTS] (port 0: any free one).
// Prints one line of JSON when it listens; the accounts come from AZURITE_ACCOUNTS.
const { createRequire } = require("node:module");
const fs = require("node:fs");
const path = require("node:path");
const faults = require("./faults.js");
const { journaled } = require("./journal.js");

const LISTEN_HOST = "127.0.0.1";
const KEEP_ALIVE_SECONDS = 60;

const azuriteRequire = createRequire(require.resolve("azurite/package.json"));

function substitute(name, exports) {
  const filename = azuriteRequire.resolve(name);
  require.cache[filename] = { id: filename, filename, loaded: true, exports };
}

// Azurite looks blobs up by account, container and name, in this order, and LokiJS uses an index for the first alone:
// with all blobs in one account, each look-up would go through all of them.
function namesFirst(Loki) {
  const { findAnd } = Loki.Resultset.prototype;
  const isName = (condition) => "name" in condition || "blobName" in condition;
  const reordered = function reordered(conditions) {
    return findAnd.call(this, [...conditions].sort((a, b) => isName(b) - isName(a)));
  };
  Object.assign(Loki.Resultset.prototype, { findAnd: reordered, $and: reordered });
  return Loki;
}

substitute("lokijs", journaled(namesFirst(azuriteRequire("lokijs"))));
// Nothing is ever sent, and loading its client takes as long as all the rest of Azurite.
substitute("applicationinsights", {});
// Metadata is not synced either (journal.js says why): waiting for the disk on each write would promise nothing more.
fs.fdatasync = (_descriptor, callback) => process.nextTick(callback, null);

// The parts, not the `azurite-blob` command: that loads the SQL drivers too, for a second.
const { default: BlobServer } = azuriteRequire("./dist/src/blob/BlobServer");
const { default: BlobConfiguration } = azuriteRequire("./dist/src/blob/BlobConfiguration");
const { default: MetadataStore } = azuriteRequire("./dist/src/blob/persistence/LokiBlobMetadataStore");

// An upload in blocks that was never committed is no blob, but Azurite's mark of it has a create-only write refused,
// and so would whoever takes over from a killed writer be, for ever. (Azure drops the blocks, too.)
const { createBlob } = MetadataStore.prototype;
MetadataStore.prototype.createBlob = function createBlobOverUncommitted(context, blob, ...conditions) {
  const { accountName, containerName, name } = blob;
  const blobs = this.db.getCollection(this.BLOBS_COLLECTION);
  blobs.findAndRemove({ accountName, containerName, name, isCommitted: false });
  return createBlob.call(this, context, blob, ...conditions);
};

function configuration(directory, port) {
  const options = {
    host: LISTEN_HOST,
    port,
    keepAliveTimeout: KEEP_ALIVE_SECONDS,
    metadataFile: path.join(directory, "blobs.json"),
    extentsFile: path.join(directory, "extents.json"),
    extents: [{ locationId: "Default", locationPath: path.join(directory, "extents"), maxConcurrency: 10 }],
    skipApiVersionCheck: true, // SDKs speak newer versions than Azurite knows
    disableProductStyleUrl: true,
  };
  return new BlobConfiguration(
    options.host,
    options.port,
    options.keepAliveTimeout,
    options.metadataFile,
    options.extentsFile,
    options.extents,
    false, // access log
    undefined,
    false, // debug log
    undefined,
    false, // loose
    options.skipApiVersionCheck,
    undefined, // certificate, its key and password
    undefined,
    undefined,
    undefined, // OAuth
    options.disableProductStyleUrl,
  );
}

async function main([directory, port, faultsFile]) {
  const server = new BlobServer(configuration(directory, Number(port)));
  if (faultsFile) faults.install(server.httpServer, faultsFile);
  await server.start();
  process.once("SIGTERM", () => server.close().then(() => process.exit(0)));
  const address = new URL(server.getHttpServerAddress());
  process.stdout.write(`${JSON.stringify({ ready: true, port: Number(address.port) })}\n`);
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
