"""From drums to windows of whole bars that are worth learning from."""

import collections

import numpy as np

from musicvae_jax.music.drum_codec import DrumCodec
from musicvae_jax.music.drums import STEPS_PER_BAR, Drums
from musicvae_jax.music.windows import WindowRules, Windows


def drum_windows(drums: Drums, rules: WindowRules) -> Windows:
    """Cuts drums into every window of `rules.bars` bars that the rules keep.

    As of melodies, a window that is silent for long, or in most of its bars, is not kept; the
    rules of pitches do not count.
    """
    codec, length = DrumCodec(), rules.bars * STEPS_PER_BAR
    count = drums.num_bars - rules.bars + 1
    if count <= 0:
        nothing = np.zeros((0, length), codec.dtype)
        return Windows(np.zeros(0, np.int32), nothing, collections.Counter())
    whole = np.zeros(drums.num_bars * STEPS_PER_BAR, codec.dtype)
    whole[: drums.num_steps] = codec.encode(drums)
    tokens = np.lib.stride_tricks.sliding_window_view(whole, length)[::STEPS_PER_BAR]
    is_struck = codec.onsets(tokens)
    step = np.arange(length)
    latest = np.maximum.accumulate(np.where(is_struck, step, -1), axis=1)
    silence = (step - latest).max(axis=1)
    sounding_bars = is_struck.reshape(count, rules.bars, -1).any(axis=2).sum(axis=1)
    longest = rules.max_silent_bars * STEPS_PER_BAR
    reasons = {
        "silent": sounding_bars == 0,
        f"over {longest} steps of silence": silence > longest,
        f"sound in fewer than {rules.min_sounding_bars} bars": (
            sounding_bars < rules.min_sounding_bars
        ),
    }
    refused = np.zeros(count, bool)
    refusals: collections.Counter[str] = collections.Counter()
    for reason, applies in reasons.items():
        refusals[reason] = int((applies & ~refused).sum())
        refused |= applies
    kept = np.flatnonzero(~refused)
    return Windows(kept.astype(np.int32), tokens[kept], +refusals)
