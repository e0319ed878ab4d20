"""Counts the tables of `musicvae_jax/midi/analysis/rhythm.csv` in scores.

`python benchmarks/downbeats.py --fit` calls it.
"""

import pathlib

import numpy as np
from renditions import Part

from musicvae_jax.midi.analysis import rhythm

# So many onsets of each place that follow it as any is followed, and of its usual kinds.
_FEW, _FEW_KINDS = 12.0, 20.0
# One in so many onsets comes anywhere.
_ANYWHERE = 0.02
# So many recordings begin anywhere in a song.
_CUT = 0.5
# Songs of more onsets count as this many.
_MOST = 300
_MIN_BAR = 0.003
NUM_STYLES, _ROUNDS = 5, 8


def places_of(parts: list[Part]) -> tuple[np.ndarray, np.ndarray]:
    """The onsets of parts: [onsets] int64, `24 * bar + place`, rising; and their kinds."""
    start = np.concatenate([part.notes[:, 1] for part in parts])
    pitch = np.concatenate([part.notes[:, 0] for part in parts])
    is_drum = np.concatenate([np.full(len(part.notes), part.is_drum) for part in parts])
    bar, twelfth = np.divmod(np.floor(12 * start + 0.5).astype(np.int64), rhythm.TWELFTHS_PER_BAR)
    place = rhythm.PLACE_OF[twelfth]
    at = (bar + ((place == 0) & (twelfth > 40))) * rhythm.PLACES.size + place
    order = np.argsort(at, kind="stable")
    at = at[order]
    first = np.flatnonzero(np.diff(at, prepend=-1))
    return at[first], rhythm.kind_of(pitch[order], is_drum[order], first)


def count(songs: list[list[Part]], num_styles: int = NUM_STYLES) -> list[rhythm.Style]:
    """The styles of songs, a bar line of each of which stands at quarter note 0."""
    onsets = [places_of(parts) for parts in songs]
    everything = _style(onsets, None)
    # To begin with, by how many onsets are in a bar, those in triplets for themselves.
    is_triplet = np.array([np.isin(at % 6, (2, 4)).mean() > 0.2 for at, _ in onsets])
    density = np.array([at.size / (1 + (at[-1] - at[0]) / 24) for at, _ in onsets])
    cuts = np.quantile(density[~is_triplet], np.arange(1, num_styles - 1) / (num_styles - 1))
    own = np.where(is_triplet, num_styles - 1, np.searchsorted(cuts, density))
    for _ in range(_ROUNDS):
        found = [
            _style([one for one, k in zip(onsets, own, strict=True) if k == style], everything)
            for style in range(num_styles)
        ]
        own = np.array([np.argmax([likelihood(*one, style) for style in found]) for one in onsets])
    return found


def likelihood(at: np.ndarray, kind: np.ndarray, style: rhythm.Style) -> float:
    size = rhythm.PLACES.size
    bars = (np.diff(at) - 1) // size
    follows = style.follows[at[:-1] % size, at[1:] % size].sum() + style.bar * bars.sum()
    return float(follows + style.kinds[kind, at % size].sum() + style.begins[at[0] % size])


def _style(onsets: list[tuple[np.ndarray, np.ndarray]], usual: rhythm.Style | None) -> rhythm.Style:
    size = rhythm.PLACES.size
    follows, kinds = np.zeros((size, size)), np.zeros((rhythm.NUM_KINDS, size))
    begins, bars, gaps = np.zeros(size), 0.0, 1.0
    for at, kind in onsets:
        weight = min(1.0, _MOST / at.size)
        np.add.at(follows, (at[:-1] % size, at[1:] % size), weight)
        np.add.at(kinds, (kind, at % size), weight)
        begins[at[0] % size] += 1
        bars += weight * ((np.diff(at) - 1) // size).sum()
        gaps += weight * (at.size - 1)
    if usual is None:
        anywhere = follows.sum(axis=0) + 0.5
        before = anywhere / anywhere.sum()
        kind = kinds.sum(axis=1, keepdims=True) + 0.5
        kind, first = kind / kind.sum(), before
    else:
        before, kind, first = (np.exp(t) for t in (usual.follows, usual.kinds, usual.begins))
    rate = (follows + _FEW * before) / (follows.sum(axis=1, keepdims=True) + _FEW)
    rate = (1 - _ANYWHERE) * rate + _ANYWHERE / size
    rate /= rate.sum(axis=1, keepdims=True)
    bar = max(bars / (bars + gaps), _MIN_BAR)
    there = (kinds + _FEW_KINDS * kind) / (kinds.sum(axis=0) + _FEW_KINDS)
    first = (begins + _FEW * first) / (begins.sum() + _FEW)
    if usual is not None:
        first = _CUT * np.exp(usual.follows).mean(axis=0) + (1 - _CUT) * first
        first /= first.sum()
    return rhythm.Style(np.log(rate * (1 - bar)), np.log(there), np.log(first), float(np.log(bar)))


def write(alone: list[list[Part]], together: list[list[Part]], path: pathlib.Path) -> None:
    """Counts the tables of melodies alone and of whole songs, and writes them."""
    lines = ["voices,row," + ",".join(map(str, rhythm.PLACES))]
    for voices, songs in (("one", alone), ("several", together)):
        for number, style in enumerate(count(songs)):
            after = zip(rhythm.PLACES, style.follows, strict=True)
            named = [(f"after {place}", row) for place, row in after]
            named += [(f"kind {kind}", row) for kind, row in enumerate(style.kinds)]
            named.append(("begins", style.begins))
            named.append(("bar", np.full(rhythm.PLACES.size, style.bar)))
            for name, row in named:
                values = ",".join(f"{value:.1f}" for value in row)
                lines.append(f"{voices} {number},{name},{values}")
    path.write_text("\n".join(lines) + "\n")
