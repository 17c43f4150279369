"""Write files, one module a format: `write(path, pixels, target)`, and where it has layers `write_layers`."""
