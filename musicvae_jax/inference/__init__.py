"""A trained model in use: melodies in, melodies out."""
