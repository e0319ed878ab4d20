"""How well a model knows each kind of music, and what to do about it."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from musicvae_jax.evaluation import accuracy
from musicvae_jax.evaluation import intervals as evaluation_intervals
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.evaluation.intervals import Ratio

# Shares of notes that come back. Above the first, about one note in eight is another one: what
# is heard is the melody. Below the second, every third one is.
GOOD_ONSETS, USABLE_ONSETS = 0.87, 0.67


@dataclasses.dataclass(frozen=True)
class Style:
    """What comes back of one kind of music, decoded freely from the posterior mean.

    Attributes:
      songs, windows: how many were measured.
      tokens: the share of tokens that are right.
      onsets: the share of true onsets that come back at their step with their pitch.
      intervals: the 95 % intervals over songs of these, by name; empty for a single song.
    """

    songs: int
    windows: int
    tokens: float
    onsets: float
    intervals: Mapping[str, list[float]]

    @property
    def advice(self) -> str:
        """Whether the model should be used for such music as it is."""
        if self.onsets >= GOOD_ONSETS:
            return "use the model as it is"
        if self.onsets >= USABLE_ONSETS:
            return "usable; fine-tuning on more songs of this kind helps"
        return "fine-tune first"


def of_windows(decoded: DecodedWindows) -> Style:
    """The figures of some windows, at least one."""
    ratios = accuracy.ratios(decoded)
    chosen: dict[str, Ratio] = {
        "tokens": ratios["sampled_accuracy"],
        "onsets": ratios["sampled_onset_accuracy"],
    }
    return Style(
        songs=len(np.unique(decoded.songs)),
        windows=len(decoded.songs),
        tokens=chosen["tokens"].value,
        onsets=chosen["onsets"].value,
        intervals=evaluation_intervals.intervals_95(chosen, decoded.songs),
    )


def by_source(
    decoded: DecodedWindows, source: np.ndarray, sources: tuple[str, ...]
) -> dict[str, Style]:
    """The style of each source.

    Args:
      decoded: windows of all of them.
      source: [windows] the number of each one's source.
      sources: their names; one without windows is left out.
    """
    return {
        name: of_windows(decoded.of(source == number))
        for number, name in enumerate(sources)
        if (source == number).any()
    }


def lines(styles: Mapping[str, Style]) -> list[str]:
    """A table for people, with what to do."""
    width = max([len("source"), *map(len, styles)])
    table = [f"  {'source':{width}s}  songs  windows  {'tokens':22s}{'notes':22s}"]
    for name, style in styles.items():
        cells = ""
        for metric in ("tokens", "onsets"):
            interval = style.intervals.get(metric)
            of = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
            cells += f"{getattr(style, metric):.3f}{of}".ljust(22)
        table.append(
            f"  {name:{width}s}  {style.songs:5d}  {style.windows:7d}  {cells}{style.advice}"
        )
    return table
