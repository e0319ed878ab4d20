"""Makes the pieces of the gallery: MIDI, a picture, and sound, of each.

python docs/gallery/make.py [FOLDER]

The tunes are traditional ones and chorales of Bach, from the corpus inside of music21. Sound is
written as Ogg Vorbis (`pip install soundfile`), by FluidSynth where it is installed.
"""

import importlib.util
import itertools
import pathlib
import sys
import tempfile

import soundfile

import musicvae_jax as mv
from musicvae_jax.midi import audio
from musicvae_jax.music import assembly

CORPUS = pathlib.Path(importlib.util.find_spec("music21").submodule_search_locations[0]) / "corpus"
QUALITY = 0.6  # from 0, the best, to 1, the smallest file
PIECE = 1 << 16


def save(folder: pathlib.Path, name: str, piece, picture) -> None:
    """Writes NAME.mid, NAME.png and NAME.ogg."""
    mv.write(folder / f"{name}.mid", piece)
    picture.savefig(folder / f"{name}.png", dpi=80)
    with tempfile.TemporaryDirectory() as scratch:
        wav = pathlib.Path(scratch) / "sound.wav"
        rendering = audio.render(wav, folder / f"{name}.mid")
        samples, rate = soundfile.read(wav)
    # Half the rate is enough for these instruments. Long sounds are written in pieces, because the
    # encoder takes memory on its stack for each.
    path, channels = folder / f"{name}.ogg", samples.ndim
    with soundfile.SoundFile(
        path, "w", rate // 2, channels, format="OGG", compression_level=QUALITY
    ) as file:
        for first in range(0, len(samples), 2 * PIECE):
            file.write(samples[first : first + 2 * PIECE : 2])
    print(f"{name}: {rendering}")


def best(model: mv.MelodyModel, a: mv.Melody, b: mv.Melody, **options) -> mv.Bridge:
    """The best of four bridges, which are ranked by their scores."""
    return mv.interpolate(model, a, b, num=4, seed=1, **options)[0]


def tune(path: str, bars: int = 16) -> mv.Melody:
    """The first bars of a tune of the corpus."""
    melody = mv.read(CORPUS / path)
    return melody.window(0, min(bars, melody.num_bars))


def main() -> None:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    folder.mkdir(parents=True, exist_ok=True)
    model = mv.load_model()
    examples = mv.example_melodies()
    hornpipe = tune("ryansMammoth/AcrobatsHornpipe.abc")
    chorale = tune("bach/bwv227.1.mxl")
    for name, first, second, options in (
        ("blended", examples["ode_to_joy"], examples["reel"], {"strategy": "dual_conductor"}),
        ("composed", hornpipe, chorale, {"strategy": "composed"}),
    ):
        bridge = best(model, first, second, bars=8, **options)
        piece = mv.splice(first, bridge, second)
        save(folder, name, piece, mv.plot(piece, bridges=[bridge]))

    tunes = [tune(f"ryansMammoth/{name}.abc") for name in ("AcaciaReel", "AllAboardReel")]
    tunes.append(hornpipe)
    bridges = [
        best(model, a, b, bars=4, strategy="composed", key_path="glide")
        for a, b in itertools.pairwise(tunes)
    ]
    piece = assembly.chain(tunes, [bridge.melody for bridge in bridges], key_path="glide")
    save(folder, "chain", piece, mv.plot(piece, bridges=bridges))

    waltz, triple = mv.example_melodies(12)["augustin"], mv.load_model("triple")
    reel = examples["reel"]
    bridge = best(model, waltz, reel, bars=8, strategy="latent", second_model=triple)
    piece = mv.splice(waltz, bridge, reel)
    save(folder, "waltz_to_reel", piece, mv.plot(piece, bridges=[bridge]))

    songs = [mv.read_whole(CORPUS / f"bach/{name}.mxl") for name in ("bwv227.1", "bwv140.7")]
    bridge = best(model, songs[0].melody, songs[1].melody, bars=8, strategy="composed")
    whole = mv.medley(songs, [bridge])
    save(folder, "whole_songs", whole, mv.plot(whole, bridges=[bridge]))


if __name__ == "__main__":
    main()
