"use strict";
// The faults of the blob store: they come between its HTTP server and Azurite, which knows nothing of them.
// The file is that of all three services ({"blobs": {…}}); worker/local/faults.py says the same of its fields.
const fs = require("node:fs");

const LOOK_MS = 200;
const PIECES = 20;
const OFF = {
  error_rate: 0,
  busy_rate: 0,
  error_after_rate: 0,
  slow_body_rate: 0,
  slow_body_seconds: 2,
  cut_body_rate: 0,
  latency_seconds: 0,
  down: false,
};
const INTERNAL_ERROR = [500, "InternalError", "The server encountered an internal error. Please retry the request."];
const SERVER_BUSY = [503, "ServerBusy", "The server is currently unable to receive requests. Please retry your request."];

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function problemOf(name, value) {
  if (!Object.hasOwn(OFF, name)) return "there is no such field";
  if (typeof value !== typeof OFF[name]) return `must be a ${typeof OFF[name]}`;
  return value < 0 || (name.endsWith("_rate") && value > 1) ? "is out of range" : null;
}

function parsed(text) {
  const file = JSON.parse(text);
  if (!isObject(file)) throw new Error("the file must be an object");
  const { blobs = {}, seed = null } = file;
  if (!isObject(blobs)) throw new Error("blobs: must be an object");
  Object.entries(blobs).forEach(([name, value]) => {
    const problem = problemOf(name, value);
    if (problem) throw new Error(`blobs.${name}: ${problem}`);
  });
  return { now: { ...OFF, ...blobs }, seed };
}

/** A sequence of numbers from 0 to 1, the same for the same seed (mulberry32). */
function chances(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function signatureOf(file) {
  const found = fs.statSync(file, { throwIfNoEntry: false });
  return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : "";
}

function tell(event, fields) {
  process.stderr.write(`${JSON.stringify({ timestamp: new Date().toISOString(), event, ...fields })}\n`);
}

/** What a file says now; without the file all is off, and one that is broken meanwhile changes nothing. */
class Switches {
  constructor(file) {
    this.file = file;
    this.seed = null;
    this.random = Math.random;
    this.signature = signatureOf(file);
    this.take();
  }

  take() {
    const { now, seed } = this.signature ? parsed(fs.readFileSync(this.file, "utf8")) : { now: OFF, seed: null };
    this.now = now;
    if (seed !== this.seed) this.random = seed === null ? Math.random : chances(seed);
    this.seed = seed;
  }

  refresh() {
    const signature = signatureOf(this.file);
    if (signature === this.signature) return;
    this.signature = signature;
    try {
      this.take();
      tell("faults_changed");
    } catch (error) {
      tell("faults_refused", { error: error.message });
    }
  }

  happens(fault) {
    if (this.now[fault] === 0 || this.random() >= this.now[fault]) return false;
    tell("fault_injected", { fault });
    return true;
  }
}

function follow(file) {
  try {
    return new Switches(file);
  } catch (error) {
    throw Object.assign(error, { stack: `${file}: ${error.message}` }); // where it was found interests nobody
  }
}

function refuse(request, response, [status, code, message]) {
  const text = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  request.resume();
  response.writeHead(status, { "content-type": "application/xml", "x-ms-error-code": code });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** Keep back what is written to a response; `send` gets the whole body once it is there, and what writes and ends. */
function collect(response, send) {
  const pieces = [];
  const real = { write: response.write.bind(response), end: response.end.bind(response) };
  response.write = (piece) => {
    pieces.push(Buffer.from(piece));
    return true;
  };
  response.end = (piece) => {
    if (piece) pieces.push(Buffer.from(piece));
    response.end = () => response; // Azurite ends the answer to a download twice
    send(Buffer.concat(pieces), real);
    return response;
  };
}

function sendHalf(response, body, { write }) {
  response.setHeader("content-length", body.length);
  write(body.subarray(0, body.length / 2), () => response.socket?.destroy());
}

function sendSlowly(body, seconds, { write, end }) {
  const length = Math.ceil(body.length / PIECES);
  const next = (from) => {
    if (from >= body.length) return end();
    write(body.subarray(from, from + length));
    return setTimeout(next, (seconds * 1000) / PIECES, from + length);
  };
  next(0);
}

// Faults of answers' bodies are drawn when there is a body: they cannot happen to an answer without one.
function spoil(switches, request, response) {
  const { error_after_rate, cut_body_rate, slow_body_rate } = switches.now;
  if (error_after_rate + cut_body_rate + slow_body_rate === 0) return null;
  if (switches.happens("error_after_rate")) return collect(response, () => request.socket.destroy());
  return collect(response, (body, real) => {
    if (body.length === 0) real.end();
    else if (switches.happens("cut_body_rate")) sendHalf(response, body, real);
    else if (switches.happens("slow_body_rate")) sendSlowly(body, switches.now.slow_body_seconds, real);
    else real.end(body);
  });
}

/** Have a server, before it listens, show the faults that a file says. */
exports.install = (server, file) => {
  const switches = follow(file);
  const sockets = new Set();
  const [serve] = server.listeners("request");
  const answer = (request, response) => {
    if (switches.happens("error_rate")) return refuse(request, response, INTERNAL_ERROR);
    if (switches.happens("busy_rate")) return refuse(request, response, SERVER_BUSY);
    spoil(switches, request, response);
    return serve.call(server, request, response);
  };
  server.removeAllListeners("request");
  server.on("request", (request, response) => {
    const { latency_seconds: seconds } = switches.now;
    if (seconds === 0) answer(request, response);
    else setTimeout(answer, seconds * 1000, request, response);
  });
  server.on("connection", (socket) => {
    if (switches.now.down) return socket.destroy();
    sockets.add(socket);
    return socket.once("close", () => sockets.delete(socket));
  });
  setInterval(() => {
    switches.refresh();
    if (switches.now.down) sockets.forEach((socket) => socket.destroy());
  }, LOOK_MS).unref();
};
