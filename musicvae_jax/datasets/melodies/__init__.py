"""The `melodies` data set: 16-step bars of one voice, split by song."""
