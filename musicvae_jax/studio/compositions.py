"""What `generate` and its like made, as the page shows it."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from musicvae_jax.commands.compose import Composition
from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.plots.picture import save_png
from musicvae_jax.studio.kinds import Kind
from musicvae_jax.studio.results import Item

# What the page calls them, by the stems of their files; `generate` is new.
_TITLES = {
    "complete": "Continuation",
    "reconstruct": "Echo",
    "original": "Original",
    "vary": "Version",
}
_MADE = 0.5  # of colours: between melody 1, at 0, and melody 2, at 1


def of_composition(
    made: Composition, kind: Kind, model: MelodyModel, options: Options
) -> list[Item]:
    """What a mode made as items; what was given has the colour of melody 1.

    Args:
      made: what a mode made.
      kind: of the music.
      model: made it.
      options: how it is to be heard, and of `vary`, the bars that stay.
    """

    def draw(path: pathlib.Path) -> None:
        save_png(path, kind.instrument.figure(made.shown))

    # Of the modes that make a part of a melody, what the given and the made part are called.
    parts = {"complete": (f"{kind.noun} 1", "continuation"), "vary": ("kept", "new")}
    items = []
    scores = {output.stem: output.scores for output in made.outputs}
    for stem, music in made.melodies.items():
        mode, _, number = stem.rpartition("_")
        piece = kind.single(kind.instrument.finish(model, music, options), stem)
        is_given = np.full(piece.num_bars, mode == "original")
        if mode == "complete" and made.given is not None:
            is_given[: made.given[1].num_bars] = True
        is_given[list(options.kept_bars)] = True
        view = kind.view_piece(piece, np.where(is_given, 0.0, _MADE))
        if mode in parts:
            view["sections"] = _parts(view["sections"][0], is_given, *parts[mode])
        title = _TITLES.get(mode, f"New {kind.noun}")
        view |= {
            "title": f"{title} {int(number) + 1}",
            "name": f"{stem}.mid",
            "facts": {name: round(value, 4) for name, value in scores.get(stem, {}).items()},
        }
        items.append(kind.item(stem, piece, draw, view))
    return items


def _parts(
    whole: Mapping[str, Any], is_given: np.ndarray, given: str, made: str
) -> list[dict[str, Any]]:
    """The sections of bars [bars] that were given and of those that were made, in turn."""
    starts = np.flatnonzero(np.diff(is_given, prepend=~is_given[:1]))
    ends = [*starts[1:], len(is_given)]
    return [
        {
            **whole,
            "label": given if is_given[start] else made,
            "title": "",
            "key": "",
            "start_bar": int(start),
            "bars": int(end - start),
            "is_bridge": not is_given[start],
        }
        for start, end in zip(starts, ends, strict=True)
    ]
