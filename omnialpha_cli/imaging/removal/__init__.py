"""From what the model paints behind an object to a clean plate at full size."""
