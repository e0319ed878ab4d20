"""Continues a melody: forces its last bars through the decoder, and decodes on from there."""

from collections.abc import Sequence

import jax
import numpy as np

from musicvae_jax.inference.network import Network
from musicvae_jax.inference.results import Continuation
from musicvae_jax.models import noise
from musicvae_jax.music.melody import Melody, join
from musicvae_jax.music.windows import play_round

# Added to the number of bars that have been continued, for the key of a later round; out of
# the way of the numbers of examples, which are folded into the same key.
_LATER_ROUNDS = 1 << 31


def continue_melody(
    network: Network,
    melody: Melody,
    *,
    bars: int | None,
    num: int,
    key: jax.Array,
    temperature: float,
) -> list[Continuation]:
    """Continuations of a melody, the likeliest first; see `MelodyModel.complete`.

    Args:
      network: of 2 bars or more.
      melody: of at least a bar.
      bars: how many to add, at least 1; None for as many as the model fills at once.
      num: how many continuations, at least 1.
      key: of all noise.
      temperature: 0 takes the likeliest tokens.
    """
    most = network.bars // 2  # bars that are given
    bars = network.bars - min(melody.num_bars, most) if bars is None else bars
    parts: list[list[Melody]] = [[melody] for _ in range(num)]
    added, log_probs = 0, []
    while added < bars:
        wholes = [join(part) for part in parts]
        context = min(wholes[0].num_bars, most)
        new = min(network.bars - context, bars - added)
        contexts = [whole.window(whole.num_bars - context, context) for whole in wholes]
        of_round = jax.random.fold_in(key, _LATER_ROUNDS + added) if added else key
        tokens, probs = _decode_on(network, contexts, of_round, temperature)
        for part, row in zip(parts, tokens, strict=True):
            part.append(network.melody(row, melody).window(context, new))
        per_bar = network.model.steps_per_bar
        steps = slice(context * per_bar, (context + new) * per_bar)
        log_probs.append(probs[:, steps])
        added += new
    scores = np.concatenate(log_probs, axis=1).mean(axis=1)
    return [Continuation(join(parts[index]), float(scores[index])) for index in np.argsort(-scores)]


def _decode_on(
    network: Network, contexts: Sequence[Melody], key: jax.Array, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Windows that begin with contexts of equal length: tokens, log probabilities."""
    rounds = [play_round(context, 0, network.bars) for context in contexts]
    given = network.tokens(rounds)
    posterior = network.encode(given)
    keys = noise.fold_in(noise.example_keys(key, 0, len(given)), 1)
    epsilon = noise.normal(keys, posterior.mu.shape[1:])
    z = np.asarray(posterior.mu + posterior.sigma * epsilon)
    is_given = np.arange(given.shape[1]) < contexts[0].num_steps
    return network.decode(z, key, temperature, given, np.broadcast_to(is_given, given.shape))
