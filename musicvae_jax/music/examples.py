"""Melodies that come with the package, so that every mode runs without files."""

from musicvae_jax.music.grid import GRIDS, SIXTEENTHS, Grid
from musicvae_jax.music.melody import Melody

_NATURAL = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}

# One bar a word group: a letter is a note of one sixteenth, upper case an octave
# higher, '#' sharpens, '-' holds one more sixteenth, '.' is a sixteenth of silence.
_ODE_TO_JOY_A = "e---e---f---g--- g---f---e---d--- c---c---d---e--- "
_ODE_TO_JOY = (
    _ODE_TO_JOY_A
    + "e-----d-d-----.. "
    + _ODE_TO_JOY_A
    + "d-----c-c-----.. "
    + "d---d---e---c--- d---e-f-e---c--- d---e-f-e---d--- c---d---g-------"
    + " "
    + _ODE_TO_JOY_A
    + "d-----c-c-----.."
)
_REEL_A = "d-f#-a-f#-D-a-f#-a- b-g-D-b-a-f#-d-f#- g-b-e-g-f#-a-d-f#- e-f#-g-e-c#-d-e-c#- "
_REEL_B = "D-F#-E-D-b-D-a-f#- g-f#-g-b-a-f#-d-f#- g-b-D-b-a-D-F#-D- "
_REEL = (
    _REEL_A
    + "d-f#-a-f#-D-a-f#-a- b-g-D-b-a-f#-d-f#- g-b-e-g-f#-a-d-f#- e-a-g-e-d---d--- "
    + _REEL_B
    + "E-D-b-a-g-e-f#-g- "
    + _REEL_B
    + "e-a-g-e-d---d---"
)
_AUGUSTIN_A = "G--AG---F--- E---C---C--- D---g---g--- "
_AUGUSTIN = (
    _AUGUSTIN_A
    + "E---C---C--- "
    + _AUGUSTIN_A
    + "C-------.... "
    + "D---g---g--- E---C---C--- D---g---g--- E---C---C--- "
    + _AUGUSTIN_A
    + "C-------...."
)
_JIG_A = "d-f#-a-D-a-f#- g-b-g-f#-a-f#- e-f#-g-"
_JIG_B = "D-E-F#-E-D-b- a-D-a-f#-a-f#- "
_JIG = (
    _JIG_A
    + "f#-e-d- e---c#-e-f#-g- "
    + _JIG_A
    + "a-g-e- d-----d----- "
    + _JIG_B
    + "g-b-g-f#-a-f#- e---a-a---g- "
    + _JIG_B
    + "g-f#-e-f#-g-a- d-----d-----"
)


def _parse(text: str, tempo_bpm: float, grid: Grid = SIXTEENTHS) -> Melody:
    notes: list[list[int]] = []
    step = 0
    sounds = False
    for symbol in text.replace(" ", ""):
        if symbol == "#":
            notes[-1][0] += 1
            continue
        if symbol == "-":
            notes[-1][2] += sounds
        elif symbol == ".":
            sounds = False
        else:
            octave = 72 if symbol.isupper() else 60
            notes.append([octave + _NATURAL[symbol.lower()], step, step + 1])
            sounds = True
        step += 1
    assert step == 16 * grid.steps_per_bar, step
    return Melody.from_notes(
        ((pitch, start, end) for pitch, start, end in notes),
        step,
        tempo_bpm=tempo_bpm,
        grid=grid,
    )


def example_melodies(steps_per_bar: int = SIXTEENTHS.steps_per_bar) -> dict[str, Melody]:
    """Two melodies of 16 bars for a model of bars of so many steps.

    Of 16 steps the theme of Beethoven's ninth symphony, and a reel of our own; of 12 the waltz
    "O du lieber Augustin", and a jig of our own.

    >>> import musicvae_jax as mv
    >>> list(mv.example_melodies()), list(mv.example_melodies(12))
    (['ode_to_joy', 'reel'], ['augustin', 'jig'])
    """
    return {name: one for name, one in _all().items() if one.grid.steps_per_bar == steps_per_bar}


def _all() -> dict[str, Melody]:
    return {
        "ode_to_joy": _parse(_ODE_TO_JOY, tempo_bpm=120.0),
        "reel": _parse(_REEL, tempo_bpm=180.0),
        "augustin": _parse(_AUGUSTIN, tempo_bpm=150.0, grid=GRIDS["3/4"]),
        "jig": _parse(_JIG, tempo_bpm=180.0, grid=GRIDS["6/8"]),
    }


def example(name: str) -> Melody | None:
    """The example of that name, of any grid."""
    return _all().get(name)
