"""Music as HTML for a notebook: a piano roll and a button that plays it.

The HTML needs no network and no file. `Melody` and `Piece` say what to show, so this
module knows neither of them.
"""

import dataclasses
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np

from musicvae_jax.music import colors
from musicvae_jax.music.grid import SIXTEENTHS, Grid

_MIN_BAR_PX, _MAX_BAR_PX, _USUAL_WIDTH_PX = 20.0, 48.0, 900.0
_ROW_PX, _LABEL_PX, _CHARACTER_PX = 6.0, 16.0, 6.2
_MIN_ROWS = 12  # an octave
_GAP_STEPS = 0.2  # between a note and the next

# What the button does, where `this` is the button. It reads the notes from the roll that
# it belongs to; only one roll of a page plays at a time.
_PLAYER = """
const button = this, figure = button.closest('figure');
const other = document.querySelector('button[data-playing]');
if (other) other.stop();
if (other === button) return;
const audio = new AudioContext(), begin = audio.currentTime + 0.1;
const cursor = figure.querySelector('line.cursor');
const bars = figure.querySelector('svg').dataset.barSeconds.split(' ').map(Number);
button.dataset.playing = 'yes';
button.textContent = '\u25a0 stop';
button.stop = () => {
  audio.close();
  delete button.dataset.playing;
  button.textContent = '\u25b6 play';
  cursor.setAttribute('visibility', 'hidden');
};
for (const note of figure.querySelectorAll('rect.note')) {
  const from = begin + Number(note.dataset.from), to = begin + Number(note.dataset.to);
  const tone = audio.createOscillator(), gain = audio.createGain();
  tone.type = 'triangle';
  tone.frequency.value = 440 * 2 ** ((note.dataset.pitch - 69) / 12);
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime(0.3, from + 0.01);
  gain.gain.setTargetAtTime(0, Math.max(from + 0.01, to - 0.04), 0.01);
  tone.connect(gain).connect(audio.destination);
  tone.start(from);
  tone.stop(to);
}
const follow = () => {
  if (!button.dataset.playing) return;
  const now = Math.max(0, audio.currentTime - begin);
  const bar = bars.findLastIndex((start) => start <= now);
  if (!button.isConnected || bar >= bars.length - 1) return button.stop();
  const x = (bar + (now - bars[bar]) / (bars[bar + 1] - bars[bar])) * cursor.dataset.barPx;
  cursor.setAttribute('x1', x);
  cursor.setAttribute('x2', x);
  cursor.setAttribute('visibility', 'visible');
  requestAnimationFrame(follow);
};
follow();
"""


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of what is shown.

    Attributes:
      label: its name, possibly empty.
      start_bar, num_bars: where it begins, and its length.
      pitch: [notes] int32, MIDI note numbers.
      start, end: [notes] int32, steps from the beginning of the whole.
      ends: the colours of its first and of its last bar, two.
      grid: of its bars.
      start_step: where it begins.
    """

    label: str
    start_bar: int
    num_bars: int
    pitch: np.ndarray
    start: np.ndarray
    end: np.ndarray
    ends: tuple[str, ...]
    grid: Grid = SIXTEENTHS
    start_step: int = 0


def as_html(caption: str, parts: Sequence[Part], step_sec: np.ndarray) -> str:
    """A piano roll of parts that follow each other, with a button that plays it.

    Args:
      caption: stands beside the button.
      parts: what to show, in order.
      step_sec: [steps + 1] float, when each step begins and when the last ends, in seconds.

    Returns:
      A `figure` element, well-formed as HTML and as XML. Each note is a `rect` of class
      `note`; its attributes give its `data-pitch`, its `data-start` and `data-end` in
      steps, and its `data-from` and `data-to` in seconds.
    """
    figure = ElementTree.Element("figure", {"style": "margin: 0.5em 0"})
    line = ElementTree.SubElement(figure, "figcaption")
    button = ElementTree.SubElement(line, "button", {"type": "button", "onclick": _PLAYER})
    button.text = "\u25b6 play"
    button.tail = " " + _printable(caption)
    scroll = ElementTree.SubElement(figure, "div", {"style": "overflow-x: auto"})
    scroll.append(_roll(caption, parts, step_sec))
    return ElementTree.tostring(figure, encoding="unicode", short_empty_elements=False)


def _roll(caption: str, parts: Sequence[Part], step_sec: np.ndarray) -> ElementTree.Element:
    steps = len(step_sec) - 1
    bars = max(1, sum(part.num_bars for part in parts))
    bar_px = round(float(np.clip(_USUAL_WIDTH_PX / bars, _MIN_BAR_PX, _MAX_BAR_PX)), 2)
    pitches = np.concatenate([part.pitch for part in parts])
    low, high = (int(pitches.min()), int(pitches.max())) if pitches.size else (60, 72)
    high = max(high, low + _MIN_ROWS)
    height = _LABEL_PX + _ROW_PX * (high - low + 1)
    lines = [p.start_step + p.grid.steps_per_bar * np.arange(p.num_bars) for p in parts]
    bar_lines = np.concatenate([*lines, np.full(bars + 1, steps)])[: bars + 1]
    seconds = " ".join(f"{second:.4f}" for second in step_sec[bar_lines])
    size = {"width": f"{bars * bar_px:g}", "height": f"{height:g}"}
    about = {"role": "img", "aria-label": _printable(caption), "data-bar-seconds": seconds}
    svg = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size, **about})
    for bar in range(bars + 1):
        _line(svg, bar * bar_px, height, {"stroke-opacity": "0.2"})
    for part in parts:
        if part.start_bar:
            _line(svg, part.start_bar * bar_px, height, {"stroke-opacity": "0.6"})
        _draw_part(svg, part, step_sec, bar_px, high)
    hidden = {"class": "cursor", "visibility": "hidden", "data-bar-px": f"{bar_px:g}"}
    _line(svg, 0.0, height, hidden)
    return svg


def _line(svg: ElementTree.Element, x: float, height: float, attributes: dict[str, str]) -> None:
    place = {"x1": f"{x:g}", "x2": f"{x:g}", "y1": f"{_LABEL_PX:g}", "y2": f"{height:g}"}
    ElementTree.SubElement(svg, "line", {**place, "stroke": "currentColor", **attributes})


def _draw_part(
    svg: ElementTree.Element, part: Part, step_sec: np.ndarray, bar_px: float, high: int
) -> None:
    """Adds a label and notes; `high` is the highest pitch."""
    grid = part.grid
    room = int(part.num_bars * bar_px / _CHARACTER_PX)
    place = {"x": f"{part.start_bar * bar_px + 2:g}", "y": f"{_LABEL_PX - 5:g}"}
    style = {"font-size": "11", "font-family": "sans-serif", "fill": "currentColor"}
    ElementTree.SubElement(svg, "text", {**place, **style}).text = _shortened(part.label, room)
    t = np.linspace(0.0, 1.0, part.num_bars)[(part.start - part.start_step) // grid.steps_per_bar]
    fills = colors.as_hex(colors.mix(part.ends, t))
    notes = zip(part.pitch.tolist(), part.start.tolist(), part.end.tolist(), fills, strict=True)
    step_px, passed = bar_px / grid.played_steps, part.start_bar * grid.played_steps
    for pitch, start, end, fill in notes:
        left, right = (passed + int(grid.played(s - part.start_step)) for s in (start, end))
        rect = {
            "class": "note",
            "x": f"{left * step_px:.3f}",
            "y": f"{_LABEL_PX + _ROW_PX * (high - pitch):g}",
            "width": f"{(right - left - _GAP_STEPS) * step_px:.3f}",
            "height": f"{_ROW_PX:g}",
            "fill": fill,
            "data-pitch": str(pitch),
            "data-start": str(start),
            "data-end": str(end),
            "data-from": f"{step_sec[start]:.4f}",
            "data-to": f"{step_sec[end]:.4f}",
        }
        ElementTree.SubElement(svg, "rect", rect)


def _shortened(label: str, room: int) -> str:
    label = _printable(label)
    return label if len(label) <= room else label[: max(0, room - 1)] + "\u2026"


def _printable(text: str) -> str:
    """Text that HTML can hold: file names may contain bytes that are no characters."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
