import numpy as np
import pytest

from benchmarks import renditions, rhythm_tables
from musicvae_jax.midi.analysis import rhythm

# Of a march: quarter notes from a bar line, over and over for four bars.
MARCH = np.array([0, 1, 1.5, 2, 3, 4, 5, 5.5, 6, 8, 8.75, 9, 10, 10.5, 11, 12, 13, 14])


def alone(sec):
    return rhythm.Onsets(sec, np.zeros(sec.size, np.int64), False)


def plain_viterbi(onsets, style):
    """How likely the likeliest path is, by loops over all pairs of states."""
    tempos = rhythm._QUARTERS_SEC
    usual = -0.5 * (np.log2(tempos / rhythm._USUAL_SEC) / rhythm._USUAL_OCTAVES) ** 2
    score = usual[:, None] + style.begins + style.kinds[onsets.kind[0]]
    for gap, kind in zip(np.diff(onsets.sec), onsets.kind[1:], strict=True):
        variance = rhythm._DRIFT**2 * max(gap / rhythm._DRIFT_SEC, rhythm._LEAST_DRIFT)
        new = np.full(score.shape, -np.inf)
        for k, quarter_sec in enumerate(tempos):
            for j in range(tempos.size):
                drift = -0.5 * ((k - j) * np.log(rhythm._RATIO)) ** 2 / variance
                drift = max(drift if abs(k - j) <= rhythm._REACH else -np.inf, rhythm._JUMP)
                for b, before in enumerate(rhythm.PLACES):
                    for a, after in enumerate(rhythm.PLACES):
                        quarters = ((after - before) % 48 or 48) / 12
                        quarters += 4 * max(np.round((gap / quarter_sec - quarters) / 4), 0)
                        bars = (quarters * 12 - 1) // 48
                        spread = rhythm._FINGERS_SEC**2
                        spread += (rhythm._PART * quarters * quarter_sec) ** 2
                        misfit = -0.5 * (gap - quarters * quarter_sec) ** 2 / spread
                        fit = max(misfit, rhythm._MISFIT) - 0.5 * np.log(spread)
                        fit += bars * style.bar + style.follows[b, a] + style.kinds[kind, a]
                        new[k, a] = max(new[k, a], score[j, b] + drift + fit)
        score = new + min(gap, rhythm._USUAL_MOST_SEC) * rhythm._USUAL_EACH_SEC * usual[:, None]
    return score.max()


def test_the_path_is_the_likeliest_of_all(monkeypatch):
    monkeypatch.setattr(rhythm, "_QUARTERS_SEC", np.array([0.5, 0.515, 0.6]))
    monkeypatch.setattr(rhythm, "_BEAM", -np.inf)
    onsets = alone(np.array([0, 0.5, 0.77, 1.1, 4.2]))
    style = rhythm.styles(False)[0]
    _, likely = rhythm._likeliest(onsets, style)
    assert likely == pytest.approx(plain_viterbi(onsets, style), abs=1e-3)


@pytest.mark.parametrize("bpm", [75, 100, 130])
def test_places_of_a_march_that_is_never_in_time_and_rests(bpm):
    rng = np.random.default_rng(bpm)
    written = np.concatenate([MARCH + 16 * phrase for phrase in range(4)])
    written = np.concatenate([written[:40], written[40:] + 12])  # three bars of silence
    tempo = np.exp(0.1 * np.sin(np.arange(100) / 9))
    sec = np.interp(written, np.arange(100), 60 / bpm * np.cumsum(tempo))
    found = rhythm.quarters_of(alone(sec + rng.normal(0, 0.01, sec.size)))
    assert np.array_equal(found - found[0], written)
    assert found[0] % 1 == 0


def test_triplets_are_no_faster_eighths():
    written = np.arange(180) / 3
    kind = np.where(np.arange(180) % 3 == 0, np.where(np.arange(180) % 6 == 0, 5, 4), 0)
    sec = 0.7 * written + np.random.default_rng(0).normal(0, 0.008, 180)
    found = rhythm.quarters_of(rhythm.Onsets(sec, kind, True))
    assert np.allclose(np.diff(found), 1 / 3)
    assert np.allclose(found[::3] % 1, 0)


def test_onsets_are_of_notes_struck_together():
    sec = np.array([0.03, 0.0, 1.0, 1.02, 1.5, 1.545])
    pitch = np.array([64, 40, 36, 38, 70, 71])
    is_drum = np.array([False, False, True, True, False, False])
    onsets = rhythm.onsets_of(sec, pitch, is_drum)
    assert np.allclose(onsets.sec, [0.015, 1.01, 1.5, 1.545])
    assert onsets.kind.tolist() == [1, 3, 0, 0]
    assert onsets.has_voices


def test_styles_are_probabilities_of_what_is_counted():
    start = np.tile(MARCH, 4) + np.repeat(16.0 * np.arange(4), MARCH.size)
    parts = [renditions.melody_part(np.full(start.size, 60), start, start + 0.5)]
    at, kind = rhythm_tables.places_of(parts)
    assert np.array_equal(at // 24 * 4 + rhythm.PLACES[at % 24] / 12, start)
    assert not kind.any()
    triplets = np.arange(96) / 3
    parts = [parts, [renditions.melody_part(np.full(96, 60), triplets, triplets + 0.3)]]
    counted = rhythm_tables.count(parts, num_styles=3)
    for style in [*counted, *rhythm.styles(False), *rhythm.styles(True)]:
        follows = np.exp(style.follows.astype(np.float64)).sum(axis=1)
        assert np.allclose(follows + np.exp(style.bar), 1, atol=0.06)
        assert np.allclose(np.exp(style.kinds.astype(np.float64)).sum(axis=0), 1, atol=0.06)
    assert counted[2].follows[0].argmax() == 2  # a triplet's second note
