"""Run a batch: items in, results out, with reading, computing and writing side by side."""
