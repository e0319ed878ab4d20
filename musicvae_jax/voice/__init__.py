"""Recordings of one voice, sung, whistled or played, as songs; sound is written by `midi.audio`."""
