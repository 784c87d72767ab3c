process.stdout.write("\x1b[2J\x1b]0;owned\x07red \0 ");
process.stdout.write(Buffer.from([0xff, 0xfe, 0x80, 0x0a]));
console.log("\ud800 =1+1 <script>alert(1)</script>");
