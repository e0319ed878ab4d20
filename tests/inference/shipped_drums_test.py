"""The model of drums that comes with the package."""

import musicvae_jax as mv
from musicvae_jax.inference import humaniser
from musicvae_jax.music.drum_examples import example_drums


def test_it_knows_a_plain_rock_beat_and_has_all_that_goes_with_it():
    model = mv.load_model("drums")
    rock = example_drums()["rock"]
    [made] = model.reconstruct([rock])
    assert made.sampled_accuracy > 0.9
    assert made.melody.tempo_bpm == rock.tempo_bpm
    assert model.composer is not None
    played = humaniser.load(model.checkpoint.path).humanise(made.melody)
    assert played.hits() == made.melody.hits()
    assert played.velocity.std() > 5
