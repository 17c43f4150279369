"""Make a clean plate at full size of what the model paints behind an object."""
