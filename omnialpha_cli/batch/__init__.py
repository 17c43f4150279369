"""The shared runner: items in, results out, with reading, computing and writing side by side."""
