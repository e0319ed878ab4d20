import jax
import numpy as np

from benchmarks import infilling as benchmark
from musicvae_jax.evaluation import infilling
from musicvae_jax.music.tokens import MelodyCodec
from tests import helpers


def test_a_strategy_is_given_what_is_shown_and_fills_what_is_hidden():
    rng = np.random.default_rng(0)
    melodies = [helpers.random_melody(rng, 16) for _ in range(3)]
    fillings = [helpers.random_melody(rng, 4) for _ in range(3)]
    truth = np.stack([MelodyCodec().encode(melody) for melody in melodies])
    asked = {}

    class Candidate:
        def __init__(self, melody):
            self.melody = melody

    def maker(pairs, strategy, plan, *, seed, temperature):
        asked.update(pairs=pairs, strategy=strategy, plan=plan, temperature=temperature)
        return [[Candidate(melody)] for melody in fillings]

    hidden = infilling.hide(truth, benchmark.FIRST_BAR, benchmark.BARS)
    filled = benchmark.bridge(maker, "latent", 0.5, hidden, jax.random.key(0))
    shown = hidden != infilling.HIDDEN
    np.testing.assert_array_equal(filled[shown], truth[shown])
    np.testing.assert_array_equal(
        filled[:, 96:160], [MelodyCodec().encode(melody) for melody in fillings]
    )
    assert (asked["strategy"], asked["temperature"], asked["plan"].bars) == ("latent", 0.5, 4)
    assert asked["plan"].is_spliced
    for (first, second), melody in zip(asked["pairs"], melodies, strict=True):
        assert first.notes() == melody.window(0, 6).notes()
        assert second.num_bars == 6
