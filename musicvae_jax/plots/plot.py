"""One function for pictures of all kinds of music."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musicvae_jax.midi.whole.medley import Medley
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.piece import Piece
from musicvae_jax.plots import bar_values, drum_grid, rolls
from musicvae_jax.plots import piece as plots_piece
from musicvae_jax.plots.picture import Figure

if TYPE_CHECKING:  # it imports JAX, which a picture does not need
    from musicvae_jax.transitions.maker import Bridge


def plot(
    music: Melody
    | Bridge
    | Piece
    | Medley
    | Drums
    | Sequence[Melody | Bridge | Drums]
    | Mapping[str, Melody | Bridge | Drums],
    *,
    bridges: Sequence[Bridge] = (),
    title: str = "",
) -> Figure:
    """Draws music as a piano roll, and drums as a grid.

    >>> import musicvae_jax as mv
    >>> figure = mv.plot(mv.example_melodies())
    >>> len(figure.axes)
    2

    `figure.savefig("music.png")` writes it to a file. Neither pyplot nor a backend is
    needed, and no state of matplotlib changes.

    Args:
      music: a melody, a bridge, a piece, a medley or drums; or several melodies and bridges, or
        several drums, drawn below each other with their names, which are numbers if `music` is
        not a mapping.
      bridges: of a piece or a medley, the bridges in it, in order. Below the notes, each
        bar's place on the way, similarity to both melodies, and negative log-likelihood are
        drawn.
      title: above the picture.

    Returns:
      The figure, which shows itself in a notebook.

    Raises:
      TypeError: `music` is something else.
      ValueError: there is nothing to draw, `bridges` are given without a piece, or the
        piece has another number of bridges.
    """
    beside = None
    if isinstance(music, Medley):
        beside = music.notes_in_bars()
        music = music.piece
    if isinstance(music, Piece):
        values = bar_values.values_of_bridges(music, bridges) if bridges else None
        return plots_piece.piece_figure(music, values, title, beside)
    if bridges:
        raise ValueError("bridges are drawn with the piece that they are in; got no piece")
    named = _by_name(music)
    kinds = {type(one) for one in named.values()} or {Melody}
    if len(kinds) > 1:
        raise TypeError("melodies and drums cannot be drawn in one picture")
    figure = _FIGURES[kinds.pop()](named)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


_FIGURES: dict[type, Callable[[Any], Figure]] = {
    Melody: rolls.melodies_figure,
    Drums: drum_grid.drums_figure,
}


def _by_name(music: object) -> dict[str, Melody | Drums]:
    if isinstance(music, Mapping):
        return {str(name): _one(item) for name, item in music.items()}
    if isinstance(music, Sequence):
        return {str(number): _one(item) for number, item in enumerate(music, start=1)}
    return {"": _one(music)}


def _one(music: object) -> Melody | Drums:
    music = getattr(music, "melody", music)  # that of a bridge
    if not isinstance(music, Melody | Drums):
        raise TypeError(
            f"a melody, a bridge, a piece or drums can be drawn, not {type(music).__name__}"
        )
    return music
