import jax
import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.models import noise, vae
from musicvae_jax.models.shares import Shares
from musicvae_jax.models.vae import create_model, previous_tokens
from tests import helpers

BATCH = 3
VARIANTS = {
    "hierarchical": {},
    "flat": {"decoder": "flat"},
    "per_bar": {"latent": "per_bar"},
    "stacked": {"encoder_layers": 2, "conductor_layers": 2, "decoder_layers": 2, "embedding": 6},
    "seed_like": {
        "codec": "roll",
        "latent": "per_bar",
        "conductor_input": 3,
        "learned_state": False,
    },
    "bars_read_at_their_edges": {"latent": "per_bar", "encoder_reads": "bars"},
    "global_of_bars": {
        "encoder_reads": "bars",
        "conductor_reads": "bars",
        "z": 6,
    },
    "flat_stacked": {"decoder": "flat", "decoder_layers": 2},
}


@pytest.fixture(params=VARIANTS, scope="module")
def setup(request):
    """A model of three bars, its parameters, tokens and a path that moves."""
    config = helpers.small_config(bars=3, **VARIANTS[request.param])
    model = create_model(config.model)
    # Larger parameters than at the beginning, so that mistakes show.
    variables = {"params": helpers.random_params(config, scale=3, seed=4)}
    tokens = helpers.random_tokens(BATCH, 48, vocab=model.vocab)
    path = np.random.default_rng(1).normal(size=(BATCH, 3, model.z)).astype(np.float32)
    return helpers.Jitted(model), variables, tokens, path


def with_samples(model, path, *args):
    decoder = model.decoder_lstm
    return decoder.with_samples(decoder.bar_embeddings(path), *args)


def decode_freely(model, variables, path, keys, temperature):
    """Tokens with nothing given, by the program that also takes given tokens."""
    none = np.zeros((len(path), 48), np.int32)
    return model.apply(variables, path, keys, temperature, none, none > 0, method="sample")[0]


def keys(batch=BATCH, first=0):
    return noise.example_keys(jax.random.key(7), first, batch)


def test_shapes(setup):
    model, variables, tokens, path = setup
    mu, sigma = model.apply(variables, tokens, method="encode")
    assert mu.shape == sigma.shape == (BATCH, *model.latent_shape)
    assert (sigma > 0).all()
    z = jnp.zeros((BATCH, *model.latent_shape))
    assert model.apply(variables, z, method="path").shape == path.shape
    logits, _, _ = jax.eval_shape(model.model.apply, variables, tokens, keys())
    assert logits.shape == (BATCH, 48, model.vocab)


def test_a_melody_is_gathered_from_its_bars_and_shared_out_to_them():
    """At first its latent is what a latent for each bar would be, side by side."""
    config = helpers.small_config(bars=3, z=6, encoder_reads="bars", conductor_reads="bars")
    whole = helpers.Jitted(create_model(config.model))
    by_bar = helpers.Jitted(
        create_model(
            helpers.small_config(bars=3, z=2, encoder_reads="bars", latent="per_bar").model
        )
    )
    params = jax.jit(lambda: vae.init_params(whole.model, 0))()
    encoder = dict(params["encoder_lstm"])
    mixing = encoder.pop("mu"), encoder.pop("raw_sigma")
    tokens = helpers.random_tokens(BATCH, 48)
    mu, sigma = whole.apply({"params": params}, tokens, method="encode")
    parts = by_bar.apply({"params": {"encoder_lstm": encoder}}, tokens, method="encode")
    np.testing.assert_allclose(mu, parts[0].reshape(BATCH, 6), atol=1e-6)
    np.testing.assert_allclose(sigma, parts[1].reshape(BATCH, 6), atol=1e-6)
    kernel = np.random.default_rng(0).normal(size=mixing[0]["kernel"].shape).astype(np.float32)
    params["encoder_lstm"]["mu"] = {"kernel": kernel}
    mixed, _ = whole.apply({"params": params}, tokens, method="encode")
    np.testing.assert_allclose(mixed, mu + mu @ kernel / np.sqrt(6), atol=1e-5)


def test_shares_of_a_path_are_slices_mixed_by_a_kernel_of_each_bar():
    rng = np.random.default_rng(0)
    path = rng.normal(size=(2, BATCH, 6)).astype(np.float32)  # two of three bars
    kernel = rng.normal(size=(3, 6, 2)).astype(np.float32)
    found = Shares(3).apply({"params": {"kernel": kernel}}, path)
    for bar in range(2):
        own = path[bar][:, 2 * bar : 2 * bar + 2]
        expected = own + path[bar] @ kernel[bar] / np.sqrt(6)
        np.testing.assert_allclose(found[bar], expected, atol=1e-5)


def test_stepwise_decoding_of_true_tokens_gives_the_parallel_logits(setup):
    model, variables, tokens, path = setup
    inputs = previous_tokens(tokens, model.vocab)
    logits = model.apply(variables, path, inputs, method="teacher_forced")
    log_probs = jax.nn.log_softmax(logits)
    parallel = jnp.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
    given = jnp.ones(tokens.shape, bool)
    decoded, stepwise = model.apply(variables, path, keys(), 0.0, tokens, given, method="sample")
    np.testing.assert_array_equal(decoded, tokens)
    np.testing.assert_allclose(stepwise, parallel, atol=1e-5)


def test_scheduled_sampling_replaces_tokens_by_samples_given_those_before(setup):
    model, variables, tokens, path = setup
    inputs = previous_tokens(tokens, model.vocab)
    args = (variables, path, inputs, keys())
    np.testing.assert_array_equal(model.apply(*args, 0.0, method=with_samples), inputs)

    replaced = model.apply(*args, 1.0, method=with_samples)
    logits = model.apply(variables, path, replaced, method="teacher_forced")
    is_flat = "conductor_lstm" not in variables["params"]["decoder_lstm"]
    steps = 48 if is_flat else 16  # in which the decoder runs on
    for segment in range(48 // steps):
        first = segment * steps
        np.testing.assert_array_equal(replaced[:, first], inputs[:, first])
        row_keys = noise.fold_in(noise.fold_in(keys(), 1), segment)
        gumbel = noise.scaled_gumbel(row_keys, steps, model.vocab, 1.0).swapaxes(0, 1)
        sampled = (logits[:, first : first + steps] + gumbel).argmax(axis=-1)
        np.testing.assert_array_equal(replaced[:, first + 1 : first + steps], sampled[:, :-1])


def test_scheduled_sampling_replaces_as_many_tokens_as_it_is_told(setup):
    model, variables, tokens, path = setup
    unheard = np.full_like(tokens, model.vocab)  # which no sample is
    args = (variables, path, unheard, keys())
    replaced = model.apply(*args, 0.5, method=with_samples) != model.vocab
    assert 0.3 < replaced.mean() < 0.6


@pytest.mark.parametrize("steps_per_bar", [12, 16])
def test_several_steps_in_a_turn_decode_what_single_ones_do(steps_per_bar):
    """As on GPUs; also where the steps of a bar do not divide into such turns."""
    decoded = {}
    tokens = helpers.random_tokens(BATCH, 2 * steps_per_bar)
    for lstm in ("rolled", "unrolled"):
        config = helpers.small_config(lstm=lstm, steps_per_bar=steps_per_bar)
        variables = {"params": helpers.random_params(config, scale=3, seed=4)}
        model = helpers.Jitted(create_model(config.model))
        path = np.random.default_rng(1).normal(size=(BATCH, 2, model.z)).astype(np.float32)
        is_given = np.arange(2 * steps_per_bar) % 5 == 0
        given = (tokens, np.broadcast_to(is_given, tokens.shape))
        sampled, log_probs = model.apply(variables, path, keys(), 1.0, *given, method="sample")
        np.testing.assert_array_equal(sampled[:, is_given], tokens[:, is_given])
        replaced = model.apply(variables, path, tokens, keys(), 0.7, method=with_samples)
        decoded[lstm] = sampled, replaced, log_probs
    for one, several in zip(*decoded.values(), strict=True):
        np.testing.assert_allclose(several, one, atol=1e-5)


def test_free_decoding_follows_its_own_tokens(setup):
    """What comes out, fed in again, has each of its tokens as the likeliest."""
    model, variables, _, path = setup
    decoded = decode_freely(model, variables, path, keys(), 0.0)
    inputs = previous_tokens(decoded, model.vocab)
    logits = model.apply(variables, path, inputs, method="teacher_forced")
    np.testing.assert_array_equal(logits.argmax(axis=-1), decoded)


def test_one_at_a_time_gives_the_same_as_a_batch(setup):
    model, variables, tokens, path = setup
    batch = decode_freely(model, variables, path, keys(), 1.0)
    logits, _, _ = model.apply(variables, tokens, keys(), True)
    for n in range(BATCH):
        one = slice(n, n + 1)
        single = decode_freely(model, variables, path[one], keys(1, n), 1.0)
        np.testing.assert_array_equal(single[0], batch[n])
        alone, _, _ = model.apply(variables, tokens[one], keys(1, n), True)
        np.testing.assert_allclose(alone[0], logits[n], atol=3e-5)


def test_given_tokens_come_back_and_change_what_follows(setup):
    model, variables, tokens, path = setup
    is_given = np.broadcast_to(np.arange(48) < 20, tokens.shape)
    free = decode_freely(model, variables, path, keys(), 1.0)
    decoded, _ = model.apply(variables, path, keys(), 1.0, tokens, is_given, method="sample")
    np.testing.assert_array_equal(decoded[:, :20], tokens[:, :20])
    assert not np.array_equal(decoded[:, 20:], free[:, 20:])


def test_temperature_0_is_argmax_whatever_the_keys(setup):
    model, variables, _, path = setup
    one = decode_freely(model, variables, path, keys(), 0.0)
    two = decode_freely(model, variables, path, keys(first=9), 0.0)
    np.testing.assert_array_equal(one, two)
    sampled = decode_freely(model, variables, path, keys(), 1.0)
    assert not np.array_equal(sampled, one)


def test_samples_have_the_models_frequencies():
    """The first token of many samples against the softmax of its logits."""
    config = helpers.small_config(bars=1, codec="roll")
    model = helpers.Jitted(create_model(config.model))
    variables = {"params": helpers.random_params(config, scale=4)}
    path = jnp.tile(jnp.linspace(-1, 1, model.z), (20_000, 1, 1))
    tokens, log_probs = model.apply(variables, path, keys(20_000), 1.0, method="sample")
    start = jnp.full((1, 16), model.vocab)
    logits = model.apply(variables, path[:1], start, method="teacher_forced")
    expected = jax.nn.softmax(logits[0, 0])
    frequencies = np.bincount(tokens[:, 0], minlength=61) / len(tokens)
    np.testing.assert_allclose(frequencies, expected, atol=0.015)
    np.testing.assert_allclose(log_probs[:, 0], jnp.log(expected)[tokens[:, 0]], atol=1e-4)


def test_a_bar_depends_on_the_bars_before_only_through_the_conductor_and_one_token():
    config = helpers.small_config(bars=3)
    model = helpers.Jitted(create_model(config.model))
    variables = {"params": helpers.random_params(config)}
    path = jnp.ones((1, 3, model.z))
    tokens = helpers.random_tokens(1, 48)
    changed = tokens.copy()
    changed[0, :30] = (changed[0, :30] + 7) % 90
    one, two = (
        model.apply(variables, path, previous_tokens(t, 90), method="teacher_forced")
        for t in (tokens, changed)
    )
    np.testing.assert_array_equal(one[:, 32:], two[:, 32:])
    assert not np.allclose(one[:, 16:31], two[:, 16:31])


def test_word_dropout_hides_tokens_in_training_only():
    config = helpers.small_config(encoder_word_dropout=1.0, decoder_word_dropout=1.0)
    model = helpers.Jitted(create_model(config.model))
    variables = {"params": helpers.random_params(config)}
    one, two = helpers.random_tokens(2, 32, seed=0), helpers.random_tokens(2, 32, seed=1)
    blind = [model.apply(variables, t, keys(2), True)[0] for t in (one, two)]
    np.testing.assert_array_equal(*blind)
    seeing = [model.apply(variables, t, keys(2), False)[0] for t in (one, two)]
    assert not np.allclose(*seeing)


def test_dropout_scales_what_it_keeps():
    inputs = jnp.ones((5, 2, 1000))
    dropped = noise.dropout(inputs, 0.25, keys(2), 0)
    np.testing.assert_allclose(np.unique(dropped), [0.0, 1 / 0.75])
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.05)
    np.testing.assert_array_equal(dropped[0], dropped[4])  # one mask for all steps
    assert not np.array_equal(dropped[0, 0], dropped[0, 1])  # another for each example
