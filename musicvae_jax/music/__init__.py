"""Melodies as notes, tokens, windows and pieces: NumPy alone, no files, no JAX."""
