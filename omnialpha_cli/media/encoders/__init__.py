"""One module a format: pixels → a file. `write(path, pixels, target)`, and where it has layers `write_layers`."""
