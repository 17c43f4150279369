"""Run the embedded weights: their context, and the specialists beside the transformer."""
