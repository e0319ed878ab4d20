import jax
import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.models.encoder import BidirectionalLayer
from musicvae_jax.models.lstm import Drive, LSTMLayer, TokenDrive

STEPS, BATCH, IN, FEATURES = 7, 3, 5, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_lstm(inputs, kernel, recurrent, bias, cell, hidden):
    """The textbook equations, one example and one step at a time, in float64."""
    steps, batch, _ = inputs.shape
    n = hidden.shape[-1]
    outputs = np.zeros((steps, batch, n))
    for b in range(batch):
        c, h = cell[b].copy(), hidden[b].copy()
        for t in range(steps):
            gates = inputs[t, b] @ kernel + h @ recurrent + bias
            i, f, g, o = (gates[k * n : (k + 1) * n] for k in range(4))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs[t, b] = h
    return outputs


class Layer(LSTMLayer):
    """Drive and scan in one call, so that a test can initialise both."""

    def run(self, inputs, carry, reverse=False):
        return self(Drive(self.drive(inputs)), carry, reverse)


@pytest.fixture
def layer():
    rng = np.random.default_rng(0)
    module = Layer(FEATURES)
    inputs = rng.normal(size=(STEPS, BATCH, IN)).astype(np.float32)
    carry = tuple(rng.normal(size=(BATCH, FEATURES)).astype(np.float32) for _ in range(2))
    params = module.init(jax.random.key(0), inputs, carry, method="run")["params"]
    # Any values will do, and biases other than those of the initialisation.
    params = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), params)
    return module, params, inputs, carry


def expected(params, inputs, carry):
    return numpy_lstm(
        inputs,
        np.asarray(params["input"]["kernel"], np.float64),
        np.asarray(params["cell"]["recurrent_kernel"], np.float64),
        np.asarray(params["cell"]["bias"], np.float64),
        *carry,
    )


def test_agrees_with_numpy(layer):
    module, params, inputs, carry = layer
    (_, last), outputs = module.apply({"params": params}, inputs, carry, method="run")
    np.testing.assert_allclose(outputs, expected(params, inputs, carry), atol=1e-5)
    np.testing.assert_array_equal(last, outputs[-1])


def test_reverse_is_forward_on_reversed_time(layer):
    module, params, inputs, carry = layer
    (_, last), outputs = module.apply({"params": params}, inputs, carry, True, method="run")
    np.testing.assert_allclose(outputs[::-1], expected(params, inputs[::-1], carry), atol=1e-5)
    np.testing.assert_array_equal(last, outputs[0])


def test_stepping_is_scanning(layer):
    module, params, inputs, carry = layer
    _, outputs = module.apply({"params": params}, inputs, carry, method="run")
    for t in range(STEPS):
        drive = module.apply({"params": params}, inputs[t], method="drive")
        carry, out = module.apply({"params": params}, carry, drive, method="step")
        np.testing.assert_allclose(out, outputs[t], atol=1e-6)


def test_forget_gate_begins_open():
    module = Layer(FEATURES)
    inputs = jnp.zeros((1, 1, IN))
    carry = (jnp.zeros((1, FEATURES)),) * 2
    params = module.init(jax.random.key(0), inputs, carry, method="run")["params"]
    assert params["cell"]["bias"].tolist() == [0] * 4 + [1] * 4 + [0] * 8


def test_bfloat16_keeps_float32_state(layer):
    _, params, inputs, carry = layer
    module = Layer(FEATURES, jnp.bfloat16)
    (cell, _), outputs = module.apply({"params": params}, inputs, carry, method="run")
    assert cell.dtype == outputs.dtype == jnp.float32
    np.testing.assert_allclose(outputs, expected(params, inputs, carry), atol=0.1)


def test_token_drive_is_one_hot_times_table():
    module = TokenDrive(6, FEATURES)
    tokens = jnp.array([[0, 5], [6, 3]])
    params = module.init(jax.random.key(0), tokens)
    drive = module.apply(params, tokens)
    one_hot = jax.nn.one_hot(tokens, 6)  # the token 6, 'none', is all zeros
    np.testing.assert_allclose(drive, one_hot @ params["params"]["table"], atol=1e-6)
    assert not drive[1, 0].any()


@pytest.mark.parametrize("implementation", ["auto", "scan", "unrolled"])
@pytest.mark.parametrize("vocab", [0, 5])
def test_both_directions_agree_with_numpy(vocab, implementation):
    rng = np.random.default_rng(1)
    features = 16  # a width that the compiled loop takes
    layer = BidirectionalLayer(features, vocab=vocab, implementation=implementation)
    dense = rng.normal(size=(STEPS, BATCH, IN)).astype(np.float32)
    inputs = rng.integers(0, vocab, (STEPS, BATCH)) if vocab else dense
    params = layer.init(jax.random.key(0), inputs)["params"]
    params = jax.tree.map(lambda x: 0.5 * rng.normal(size=x.shape).astype(np.float32), params)
    final, outputs = layer.apply({"params": params}, inputs)
    silence = np.zeros((BATCH, features)), np.zeros((BATCH, features))
    read = np.eye(vocab)[inputs] if vocab else inputs
    for place, (name, order) in enumerate((("forward", 1), ("backward", -1))):
        kernel = params[f"{name}_tokens"]["table"] if vocab else params[name]["input"]["kernel"]
        cell = params[name]["cell"]
        wanted = numpy_lstm(read[::order], kernel, cell["recurrent_kernel"], cell["bias"], *silence)
        own = slice(place * features, (place + 1) * features)
        np.testing.assert_allclose(outputs[..., own], wanted[::order], atol=1e-5)
        np.testing.assert_allclose(final[:, own], wanted[-1], atol=1e-5)
