"""The nine pieces of a drum kit, and the notes of MIDI that mean them.

The nine are those of Roberts et al. 2018 (arXiv 1803.05428, appendix A) and Gillick et al. 2019
(arXiv 1905.06118, appendix A). Two tables lead to them:

- `GENERAL_MIDI`, by the names of the General MIDI percussion map (MIDI 35..81). Hand
  percussion, cowbells, shakers and effects are no pieces of a kit and are left out, where
  Roberts et al. count them as the piece that sounds most like them.
- `ROLAND`, the notes of the Roland TD-11, on which the Groove MIDI Dataset was played, as Gillick
  et al. reduce them. It differs where a pad has a rim or an edge with a note of its own: 22, 26
  and 58 say nothing about a kit in General MIDI, and 48 is the high tom of three.

The notes that are written mean the same piece in both.
"""

import numpy as np

PIECES = (
    "kick",
    "snare",
    "closed hat",
    "open hat",
    "low tom",
    "middle tom",
    "high tom",
    "crash",
    "ride",
)
KICK, SNARE, CLOSED_HAT, OPEN_HAT, LOW_TOM, MIDDLE_TOM, HIGH_TOM, CRASH, RIDE = range(9)
NOT_A_PIECE = -1

# The MIDI note that each piece is written as.
PITCHES = (36, 38, 42, 46, 43, 47, 50, 49, 51)

GENERAL_MIDI: dict[int, tuple[int, ...]] = {
    KICK: (35, 36),
    SNARE: (37, 38, 39, 40),  # side stick, acoustic, hand clap, electric
    CLOSED_HAT: (42, 44),  # closed, pedal
    OPEN_HAT: (46,),
    LOW_TOM: (41, 43, 45),  # low floor, high floor, low
    MIDDLE_TOM: (47, 48),  # low-mid, hi-mid
    HIGH_TOM: (50,),
    CRASH: (49, 52, 55, 57),  # crash 1, china, splash, crash 2
    RIDE: (51, 53, 59),  # ride 1, bell, ride 2
}
ROLAND: dict[int, tuple[int, ...]] = {
    KICK: (36,),
    SNARE: (37, 38, 40),  # cross-stick, head, rim
    CLOSED_HAT: (22, 42, 44),  # edge, bow, pedal
    OPEN_HAT: (26, 46),  # edge, bow
    LOW_TOM: (43, 58),  # tom 3: head, rim
    MIDDLE_TOM: (45, 47),  # tom 2: head, rim
    HIGH_TOM: (48, 50),  # tom 1: head, rim
    CRASH: (49, 52, 55, 57),  # crash 1 and 2: bow, edge
    RIDE: (51, 53, 59),  # bow, bell, edge
}
# The edges of the hi-hat: notes that a kit in General MIDI has not, and one of Roland's has.
_ONLY_ROLAND = (22, 26)


def is_roland(pitch: np.ndarray) -> bool:
    """Whether the notes of a drum track show that it was played on a kit of Roland's."""
    return bool(np.isin(pitch, _ONLY_ROLAND).any())


def pieces_of(pitch: np.ndarray) -> np.ndarray:
    """The pieces of the notes of a drum track, read as a Roland kit if its notes show one.

    Args:
      pitch: [notes] int, MIDI notes 0..127.

    Returns:
      [notes] int32, 0..8, or `NOT_A_PIECE`.
    """
    table = ROLAND if is_roland(pitch) else GENERAL_MIDI
    piece_of = np.full(128, NOT_A_PIECE, np.int32)
    for piece, pitches in table.items():
        piece_of[list(pitches)] = piece
    return piece_of[np.asarray(pitch, np.int64)]
