"""MusicVAE-JAX: learns melodies, writes new ones, and bridges one melody to another.

A transition between two MIDI files:

    import musicvae_jax as mv

    model = mv.load_model()
    first, second = mv.read("first.mid"), mv.read("second.mid")
    [bridge] = mv.interpolate(model, first, second)
    mv.write("transition.mid", mv.splice(first, bridge, second))

Importing the package loads no other module and changes nothing outside of it: a name is
imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors, which do not run `__getattr__`
    from musicvae_jax.inference.load import load_model
    from musicvae_jax.inference.melody_model import MelodyModel
    from musicvae_jax.inference.results import Continuation, Posterior, Reconstruction
    from musicvae_jax.midi.song import Song
    from musicvae_jax.midi.whole.medley import medley
    from musicvae_jax.midi.write import write
    from musicvae_jax.music.assembly import splice
    from musicvae_jax.music.drums import Drums
    from musicvae_jax.music.examples import example_melodies
    from musicvae_jax.music.grid import GRIDS, Grid
    from musicvae_jax.music.melody import Melody
    from musicvae_jax.music.piece import Piece
    from musicvae_jax.notation.read import read, read_drums, read_song, read_whole
    from musicvae_jax.plots.plot import plot
    from musicvae_jax.system.errors import UserError
    from musicvae_jax.transitions.interpolate import interpolate
    from musicvae_jax.transitions.maker import Bridge

__version__ = "0.1.0"
__all__ = [
    "GRIDS",
    "Bridge",
    "Continuation",
    "Drums",
    "Grid",
    "Melody",
    "MelodyModel",
    "Piece",
    "Posterior",
    "Reconstruction",
    "Song",
    "UserError",
    "example_melodies",
    "interpolate",
    "load_model",
    "medley",
    "plot",
    "read",
    "read_drums",
    "read_song",
    "read_whole",
    "splice",
    "write",
]

# The module that each name comes from.
_HOMES = {
    "Bridge": "transitions.maker",
    "Continuation": "inference.results",
    "Drums": "music.drums",
    "GRIDS": "music.grid",
    "Grid": "music.grid",
    "Melody": "music.melody",
    "MelodyModel": "inference.melody_model",
    "Piece": "music.piece",
    "Posterior": "inference.results",
    "Reconstruction": "inference.results",
    "Song": "midi.song",
    "UserError": "system.errors",
    "example_melodies": "music.examples",
    "interpolate": "transitions.interpolate",
    "load_model": "inference.load",
    "medley": "midi.whole.medley",
    "plot": "plots.plot",
    "read": "notation.read",
    "read_drums": "notation.read",
    "read_song": "notation.read",
    "read_whole": "notation.read",
    "splice": "music.assembly",
    "write": "midi.write",
}


def __getattr__(name: str) -> Any:
    """Imports a name of `__all__` when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
