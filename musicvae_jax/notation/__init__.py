"""Notated music: MusicXML and ABC, played from their bars as songs."""
