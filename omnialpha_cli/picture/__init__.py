"""Bring one picture from its pixels to its layers: prepare, passes, finish."""
