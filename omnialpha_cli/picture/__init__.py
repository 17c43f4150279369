"""One picture from its pixels to its layers: prepare, passes, finish."""
