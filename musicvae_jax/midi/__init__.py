"""Music files: songs as they have them, read, written, heard; and the melody in a song."""
