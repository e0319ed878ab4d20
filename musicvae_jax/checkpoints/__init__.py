"""Trained states on disk: written whole, checked by hashes, read back."""
