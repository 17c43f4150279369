"""Bring the model's matte on its canvas to alpha and colours at full size."""
