"""Whole songs, with all tracks: events on a grid of ticks, cut, joined and accompanied."""
