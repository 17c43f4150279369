"""Work in image space: fit to a canvas and back, foreground colours, compositing. Channels first, float32."""
