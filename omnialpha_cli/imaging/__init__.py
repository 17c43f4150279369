"""Image space on tensors: fit to a canvas and back, foreground colours, compositing. Channels first, float32."""
