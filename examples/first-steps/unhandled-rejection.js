Promise.reject(new Error("nobody waits for me"));
setTimeout(() => console.log("never printed"), 100);
