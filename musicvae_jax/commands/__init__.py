"""What the command line does: flags in, files out."""
