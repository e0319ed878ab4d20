"""Bridges two melodies, three times by each of two strategies, and writes the best as a piece.

python docs/transition.py first.mid second.mid folder
"""

import pathlib
import sys

import musicvae_jax as mv

first, second = mv.read(sys.argv[1]), mv.read(sys.argv[2])
folder = pathlib.Path(sys.argv[3])
folder.mkdir(parents=True, exist_ok=True)
model = mv.load_model()
strategies = ("latent", "dual_conductor")
bridges = mv.interpolate(model, first, second, strategy=strategies, num=3, bars=8)
for bridge in bridges:
    print(f"{bridge.strategy:16} candidate {bridge.number}: score {bridge.score:.3f}")
piece = mv.splice(first, bridges[0], second)
mv.write(folder / "transition.mid", piece)
mv.plot(piece, bridges=bridges[:1]).savefig(folder / "transition.png")
