"""Run the published weights: Qwen2.5-VL context, loading, and folders in the published layout."""
