const net = require("node:net");

net
  .connect({ host: "169.254.169.254", port: 80 })
  .on("connect", () => console.log("CONNECTED"))
  .on("error", (error) => console.log("no network:", error.code));
