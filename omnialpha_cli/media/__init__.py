"""Read and write pixels: the record of what a file was, readers and writers. No torch here."""
