// Module syntax in a .js file, with top-level await: Node decides by the content.
import { setTimeout as pause } from "node:timers/promises";

await pause(50);
console.log(typeof require, import.meta.url.startsWith("file://"));
