"""MusicVAE-JAX: learn melodies, write new ones, and bridge one melody to another.

Importing the package loads nothing. Its modules import in one direction:

  errors, progress, atomic_io, locks, distributed -> melody -> song -> midi, bulk_midi -> keys
  -> preprocessing, seed_chain -> tokens -> windows -> datasets -> input_pipeline
  -> models -> schedules, losses -> integrity -> checkpoints, metric_log, manifest
  -> evaluate -> train -> telemetry, preemption -> loop -> transitions -> render -> inference
  -> doctor, modes -> main
"""

__version__ = "0.1.0"
