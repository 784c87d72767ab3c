const { readdirSync, readFileSync } = require("node:fs");

const secrets = Object.keys(process.env).filter((name) => /KEY|TOKEN|SECRET|CONNECTION|JSWORKER/i.test(name));
const others = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && ![1, process.pid].includes(+name));
let shadow = "unreadable";
try {
  readFileSync("/etc/shadow");
  shadow = "READ";
} catch {}
console.log(`secrets: ${secrets.length}, other processes: ${others.length}, /etc/shadow: ${shadow}`);
