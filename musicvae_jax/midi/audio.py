"""Sound: MIDI files and pieces as WAV, by FluidSynth where it is installed."""

import dataclasses
import io
import os
import pathlib
import shutil
import subprocess
import tempfile
import warnings
import wave
from collections.abc import Callable
from typing import TypeVar

import mido
import numpy as np
import pretty_midi

from musicvae_jax.midi import encode, read
from musicvae_jax.midi.whole.medley import Medley
from musicvae_jax.music.drum_piece import DrumPiece
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.piece import Piece
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

T = TypeVar("T")
SAMPLE_RATE_HZ = 44_100
SOUNDFONT_VARIABLE = "MUSICVAE_JAX_SOUNDFONT"
# Where distributions put soundfonts.
SOUNDFONT_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
)
TAIL_SEC = 1.0  # of what rings on after the end
# A minute of samples takes 40 MB of memory, several times over.
MAX_SEC = 900.0
_PEAK = 10 ** (-1 / 20)  # one decibel below full scale
_GAIN = 0.5  # FluidSynth's own is 0.2, for many voices; a line may be louder
_SILENCE = 2**-12  # FluidSynth dithers the last bit, which is not to be made loud
_TIMEOUT_SEC = 600


@dataclasses.dataclass(frozen=True)
class Rendering:
    """How audio was made.

    Attributes:
      synthesizer: `FluidSynth` or `sine waves`.
      soundfont: the file whose instruments are heard, or None.
      duration_sec: of the audio.
      reason: why it is not FluidSynth, or empty.
    """

    synthesizer: str
    soundfont: str | None
    duration_sec: float
    reason: str = ""

    def __str__(self) -> str:
        if self.soundfont:
            return f"{self.synthesizer} with {pathlib.Path(self.soundfont).name}"
        return f"{self.synthesizer} ({self.reason})"


def find_soundfont(given: str | os.PathLike | None = None) -> pathlib.Path | None:
    """The soundfont to use.

    The one given, else the one that the environment variable names, else a default of
    the system's, else the largest that the system has, else the small one that comes
    with pretty_midi.

    Raises:
      UserError: the one given or named is not a soundfont.
    """
    named = given or os.environ.get(SOUNDFONT_VARIABLE)
    if named:
        path = pathlib.Path(named).expanduser()
        if not _is_soundfont(path):
            origin = "soundfont" if given else SOUNDFONT_VARIABLE
            raise UserError(f"{origin}={named}: not a readable soundfont (.sf2 or .sf3)", origin)
        return path
    folders = [pathlib.Path(folder) for folder in SOUNDFONT_FOLDERS]
    found = [path for folder in folders for path in sorted(folder.glob("*.sf[23]"))]
    found = [path for path in found if _is_soundfont(path)]
    if found:
        return max(found, key=lambda path: ("default" in path.stem.lower(), path.stat().st_size))
    bundled = bundled_soundfont()
    return bundled if _is_soundfont(bundled) else None


def bundled_soundfont() -> pathlib.Path:
    """The small General MIDI soundfont that comes with pretty_midi; it may be missing."""
    return pathlib.Path(pretty_midi.__file__).with_name("TimGM6mb.sf2")


def _is_soundfont(path: pathlib.Path) -> bool:
    """Whether a file begins as one: RIFF, four bytes of length, sfbk."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"sfbk"


def render(
    path: str | os.PathLike,
    source: Piece | Medley | Drums | DrumPiece | str | os.PathLike,
    soundfont: str | os.PathLike | None = None,
) -> Rendering:
    """Writes a piece, a medley, drums or a MIDI file as a WAV file of 16 bits, atomically.

    With FluidSynth (the program `fluidsynth` on PATH) and a soundfont it has the
    instruments and is stereo; else it is sine waves in mono, without drums. It is as loud as it
    can be without clipping, and `TAIL_SEC` longer than the music. A piece that loops is exactly
    as long as its music: what rings on after its end is heard at its beginning, so that
    it can be repeated without a seam.

    Args:
      path: the WAV file.
      source: a piece, a medley, drums, or a MIDI file.
      soundfont: see `find_soundfont`.

    Raises:
      UserError: there is no such file, it plays for more than `MAX_SEC`, or what was
        asked for with `soundfont` cannot be done.
    """
    if isinstance(source, Drums):
        return render_bytes(path, encode.drums_bytes(source), soundfont)
    if isinstance(source, DrumPiece):
        return render_bytes(path, encode.drums_bytes(source), soundfont, loops=source.loops)
    if isinstance(source, Medley):
        return render_bytes(path, source.midi_bytes(), soundfont, loops=source.piece.loops)
    if isinstance(source, Piece):
        return render_bytes(path, encode.piece_bytes(source), soundfont, loops=source.loops)
    return _render_file(path, pathlib.Path(source), soundfont, loops=False)


def render_bytes(
    path: str | os.PathLike,
    content: bytes,
    soundfont: str | os.PathLike | None = None,
    *,
    loops: bool = False,
) -> Rendering:
    """`render` of the content of a MIDI file, which is to be repeated if it `loops`."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "piece.mid"
        file.write_bytes(content)
        return _render_file(path, file, soundfont, loops)


def _render_file(
    path: str | os.PathLike,
    file: pathlib.Path,
    soundfont: str | os.PathLike | None,
    loops: bool,
) -> Rendering:
    seconds = duration_sec(file)
    if seconds > MAX_SEC:
        raise UserError(
            f"audio of {seconds:.0f} s is asked for; at most {MAX_SEC:.0f} s are made; a MIDI "
            "file has no limit"
        )
    music = round(seconds * SAMPLE_RATE_HZ)
    tail = round(TAIL_SEC * SAMPLE_RATE_HZ)
    samples, font, reason = _synthesize(file, soundfont)
    samples = samples[: music + tail]
    samples = np.pad(samples, ((0, music + tail - len(samples)), (0, 0)))
    if loops:
        samples, rest = samples[:music], samples[music:]
        samples[: len(rest)] += rest[: len(samples)]
    loudest = np.abs(samples).max(initial=0.0)
    samples *= _PEAK / loudest if loudest > _SILENCE else 0.0
    _write_wav(path, samples)
    name = "sine waves" if font is None else "FluidSynth"
    return Rendering(
        name, None if font is None else str(font), len(samples) / SAMPLE_RATE_HZ, reason
    )


def _synthesize(
    file: pathlib.Path, soundfont: str | os.PathLike | None
) -> tuple[np.ndarray, pathlib.Path | None, str]:
    """Samples: [samples, channels] float32; the soundfont heard, or why there is none."""
    program, font = shutil.which("fluidsynth"), find_soundfont(soundfont)
    if not (program and font):
        reason = "no soundfont was found" if program else "the program fluidsynth is not on PATH"
    else:
        try:
            samples, said = _fluidsynth(program, font, file)
            # With a damaged soundfont it succeeds all the same: it plays another, or silence.
            is_heard = np.abs(samples).max(initial=0.0) > _SILENCE
            is_played = "failed to load" not in said.lower()
            if is_played and (is_heard or not synthesize_file(file).any()):
                return samples, font, ""
            reason = f"FluidSynth cannot play with {font}"
        except subprocess.CalledProcessError as error:
            reason = f"FluidSynth failed with {error.returncode}: {error.stderr.strip()[:200]}"
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = f"FluidSynth failed: {type(error).__name__}"
    if soundfont:
        raise UserError(f"soundfont={soundfont}: cannot be used: {reason}", "soundfont")
    return synthesize_file(file)[:, None], None, reason


def duration_sec(path: str | os.PathLike) -> float:
    """How long a MIDI file plays, until its last track ends.

    Raises:
      UserError: the file cannot be read.
    """
    return float(_parse(path, lambda file: mido.MidiFile(file=file).length))


def synthesize_file(path: str | os.PathLike) -> np.ndarray:
    """Renders a MIDI file as sine waves, without its drums.

    Returns:
      [samples] float32 in -1..1, at `SAMPLE_RATE_HZ`.

    Raises:
      UserError: the file cannot be read.
    """

    def synthesize(file: io.BytesIO) -> np.ndarray:
        midi = pretty_midi.PrettyMIDI(file)
        # pretty_midi divides by the loudest sample, also where none sounds.
        midi.instruments = [part for part in midi.instruments if part.notes and not part.is_drum]
        return midi.synthesize(fs=SAMPLE_RATE_HZ)

    return _parse(path, synthesize).astype(np.float32)


def _parse(path: str | os.PathLike, parse: Callable[[io.BytesIO], T]) -> T:
    """What `parse` makes of a file's content, its failures as one line."""
    data = read.content(path)
    try:
        with warnings.catch_warnings():
            # pretty_midi warns of type 0 files with tempo changes and reads them well.
            warnings.simplefilter("ignore", RuntimeWarning)
            return parse(io.BytesIO(data))
    except Exception as error:  # mido and pretty_midi raise whatever they trip over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: cannot be played ({reason})") from error


def _fluidsynth(program: str, font: pathlib.Path, file: pathlib.Path) -> tuple[np.ndarray, str]:
    """What FluidSynth makes of a MIDI file, [samples, 2] float32, and what it complains of."""
    with tempfile.TemporaryDirectory() as folder:
        raw = pathlib.Path(folder) / "audio.raw"
        # Raw samples can be written by every build, others need a library.
        options = ["-q", "-n", "-i", "-g", str(_GAIN), "-r", str(SAMPLE_RATE_HZ)]
        options += ["-T", "raw", "-O", "s16", "-E", "little", "-F", str(raw)]
        command = [program, *options, str(font.resolve()), str(file.resolve())]
        run = subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SEC,
        )
        return np.fromfile(raw, "<i2").reshape(-1, 2).astype(np.float32) / 2**15, run.stderr


def _write_wav(path: str | os.PathLike, samples: np.ndarray) -> None:
    """Writes [samples, channels] float32 in -1..1."""
    with files.replacing(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.rint(samples * (2**15 - 1)).astype("<i2").tobytes())
