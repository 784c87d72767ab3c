import { createHash } from "node:crypto";

const digest = createHash("sha256").update("jsworker").digest("hex");
console.log(digest.slice(0, 16));
