// What each attack begins with: a submission that is wrong, and what it would like to be reported.
const fs = require("fs");
const { spawn, spawnSync } = require("child_process");
exports.add = () => 0;
const SAID = ['{"type":"pass","name":"adds","nesting":0,"duration_ms":1}', '{"type":"end"}'];
const report = (key) => SAID.forEach((line) => fs.writeSync(3, `\n${key}${line}\n`));
const tried = (attempt) => {
  try {
    return attempt();
  } catch {
    return undefined;
  }
};
