"""Measure how good the results are: metrics, and the sets they are measured on."""
