"""Data sets, built by TensorFlow Datasets without TensorFlow."""
