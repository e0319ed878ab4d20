"""What a MIDI file does not tell: its beats and bars, and which of its notes are the melody."""
