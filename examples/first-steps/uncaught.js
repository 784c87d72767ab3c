null.answer();
