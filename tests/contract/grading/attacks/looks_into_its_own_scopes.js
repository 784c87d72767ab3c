const { Session } = require("inspector");
const session = new Session();
session.connect();
session.post("Runtime.evaluate", { expression: "process.stdout.write('looked')" });
