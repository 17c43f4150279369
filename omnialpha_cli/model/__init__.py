"""Hold the model: pure torch, no files but its weights, no other part of this package."""
