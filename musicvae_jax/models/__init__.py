"""The variational auto-encoder: encoder, conductor and decoder."""
