"""Pixels in and out of files: the record of what a file was, readers and writers. No torch here."""
