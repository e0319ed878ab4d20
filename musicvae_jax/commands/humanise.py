"""`--mode=humanise`: drums with the velocities and the timing of a drummer."""

import ml_collections
import numpy as np

from musicvae_jax import __version__
from musicvae_jax.checkpoints import load
from musicvae_jax.commands.files import input_music, write_piece, write_report
from musicvae_jax.commands.instruments import DRUMS
from musicvae_jax.commands.options import Options
from musicvae_jax.inference import humaniser
from musicvae_jax.music.drums import STEPS_PER_BAR
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files


def humanise(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes the hits of each input, struck as a drummer would."""
    inputs = input_music(options, DRUMS) or dict(DRUMS.examples(STEPS_PER_BAR))
    directory = load.find(options.checkpoint, options.workdir, usual=load.DRUMS)
    head = humaniser.load(directory)
    folder = files.make_output_dir(options.output)
    temperature = options.temperature_or(0.0)
    shown, outputs = {}, []
    for number, (title, drums) in enumerate(inputs.items()):
        made = head.humanise(
            drums, strength=options.strength, temperature=temperature, seed=options.seed
        )
        stem = f"humanise_{number:02d}"
        write_piece(folder, stem, made, options)
        shown |= {title: drums, f"{stem}.mid": made}
        outputs.append(
            {
                "input": title,
                "output": f"{stem}.mid",
                "velocity_mean": round(float(made.velocity.mean()), 2),
                "velocity_deviation": round(float(made.velocity.std()), 2),
                "offset_steps_mean_absolute": round(float(np.abs(made.offset).mean()), 4),
            }
        )
    save_png(folder / "humanise.png", DRUMS.figure(shown))
    write_report(
        folder,
        {
            "mode": "humanise",
            "version": __version__,
            "seed": options.seed,
            "temperature": temperature,
            "strength": options.strength,
            "checkpoint": str(directory),
            "facts": head.facts,
            "outputs": outputs,
        },
    )
