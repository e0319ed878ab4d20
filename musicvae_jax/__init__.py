"""MusicVAE-JAX: learn melodies, write new ones, and bridge one melody to another.

The package imports in one direction, and importing it loads nothing heavy:

  errors, atomic_io -> melody -> midi -> preprocessing -> tokens -> datasets
  -> input_pipeline -> models -> schedules, losses -> train state, checkpoints
  -> train, evaluate -> transitions -> render -> inference -> main
"""

__version__ = "0.1.0"
