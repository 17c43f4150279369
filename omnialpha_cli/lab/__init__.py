"""Hold the workshop: training, data, evaluation and speed, with their commands. The product imports nothing of it."""
