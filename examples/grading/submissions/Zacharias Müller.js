while (true) console.log("the 3");
