"""The machinery of the book: run the lessons, fetch the scripts, generate pages, render."""
