// The session has a loopback of its own and nothing else.
const http = require("node:http");

const server = http.createServer((_, response) => response.end("pong")).listen(0, "127.0.0.1", async () => {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}`);
  console.log("ping", await answer.text());
  server.close();
});
