"""One readable LSTM cell, and the layer that scans it over time.

Everything is time-major, so that nothing is transposed between layers. A layer's
drive, what its inputs add to the gates, is computed for all steps in one matrix
product before the scan; inside the scan remains the recurrent product. What `nn.scan`
computes is computed faster by a compiled loop on CPUs (`lstm_cpu`), by a scan with
gradients of its own on accelerators (`lstm_scan`), and, if that is asked for, by
kernels for TPUs and GPUs (`lstm_tpu`, `lstm_gpu`).
"""

from types import ModuleType

import flax.linen as nn
import jax
import jax.numpy as jnp

from musicvae_jax.models import lstm_cpu, lstm_scan
from musicvae_jax.models.drive import Drive
from musicvae_jax.models.lstm_scan import Carry

# The backend that an implementation is for, where it is not for all.
BACKENDS = {"pallas": "tpu", "triton": "gpu"}


def _bias_init(key: jax.Array, shape: tuple[int, ...], dtype=jnp.float32) -> jax.Array:
    """Zero, but one for the forget gate, so that early gradients reach far back."""
    del key
    i, f, g, o = jnp.split(jnp.zeros(shape, dtype), 4)
    return jnp.concatenate([i, f + 1, g, o])


class LSTMCell(nn.Module):
    """A long short-term memory cell (Hochreiter & Schmidhuber 1997, with forget gate).

    Gates stand in the order input, forget, cell, output, as in PyTorch, whose
    `weight_hh_l0` is this `recurrent_kernel` transposed, and whose two biases add
    up to this one. The cell state and all sums are float32 whatever `dtype` is.

    Attributes:
      features: the width of the state.
      dtype: in which matrix products are computed.
    """

    features: int
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.recurrent_kernel = self.param(
            "recurrent_kernel",
            nn.initializers.orthogonal(),
            (self.features, 4 * self.features),
        )
        self.bias = self.param("bias", _bias_init, (4 * self.features,))

    def __call__(self, carry: Carry, drive: jax.Array) -> tuple[Carry, jax.Array]:
        """One step.

        Args:
          carry: cell and hidden state, each [batch, features] float32.
          drive: [batch, 4 * features], the inputs' part of the gates.

        Returns:
          The next carry, and the hidden state once more as the output.
        """
        return lstm_scan.lstm_step(self.recurrent_kernel, self.bias, self.dtype, carry, drive)


class LSTMLayer(nn.Module):
    """An LSTM over time.

    Attributes:
      features: the width of the state.
      dtype: in which matrix products are computed.
      implementation: 'scan' is `nn.scan` of the cell, differentiated by JAX: the reference
        for all others. 'rolled' is the scan of `lstm_scan`, and 'unrolled' takes several of
        its steps in a turn. 'auto' runs the loop of `lstm_cpu` where it serves, and elsewhere
        is 'unrolled' on GPUs and 'rolled' on what is not one. 'pallas' runs the kernel of
        `lstm_tpu` where it serves, and else is 'rolled'; 'triton' that of `lstm_gpu`, and else
        is 'unrolled'.
    """

    features: int
    dtype: jnp.dtype = jnp.float32
    implementation: str = "auto"

    def setup(self):
        self.cell = LSTMCell(self.features, self.dtype)
        self.input = nn.Dense(4 * self.features, use_bias=False, dtype=self.dtype)

    def drive(self, inputs: jax.Array) -> jax.Array:
        """The part of the gates that inputs [..., in] give: [..., 4 * features]."""
        return self.input(inputs)

    def zero_carry(self, batch: int) -> Carry:
        """The state of silence before the beginning: two [batch, features] of zeros."""
        zeros = jnp.zeros((batch, self.features), jnp.float32)
        return zeros, zeros

    def step(self, carry: Carry, drive: jax.Array) -> tuple[Carry, jax.Array]:
        """One step; see `LSTMCell`."""
        return self.cell(carry, drive)

    def __call__(
        self, drive: Drive, carry: Carry, reverse: bool = False
    ) -> tuple[Carry, jax.Array]:
        """Runs over time.

        Args:
          drive: of [steps, batch].
          carry: the state before the first step; with `reverse`, after the last.
          reverse: run from the last step to the first; outputs keep their places.

        Returns:
          The final carry and outputs: [steps, batch, features] float32.
        """
        if self.is_compiled and not self.is_initializing():
            cell, outputs = lstm_cpu.lstm(
                drive, self.cell.recurrent_kernel, self.cell.bias, *carry, reverse
            )
            return (cell, outputs[0 if reverse else -1]), outputs
        weights = self.cell.recurrent_kernel, self.cell.bias
        if self.kernels and not self.is_initializing():
            cell, outputs = self.kernels.lstm(drive.expand(), *weights, *carry, reverse, self.dtype)
            return (cell, outputs[0 if reverse else -1]), outputs
        if self.implementation != "scan":
            return lstm_scan.lstm(
                drive.expand(), *weights, carry, self.dtype, reverse, self.steps_of_a_turn
            )
        scan = nn.scan(
            lambda cell, carry, drive: cell(carry, drive),
            variable_broadcast="params",
            split_rngs={"params": False},
            reverse=reverse,
        )
        return scan(self.cell, carry, drive.expand())

    @property
    def is_compiled(self) -> bool:
        """Whether the loop of `lstm_cpu` runs instead of a scan."""
        return self.implementation == "auto" and lstm_cpu.serves(self.features, self.dtype)

    @property
    def kernels(self) -> ModuleType | None:
        """The module whose kernels run instead of a scan, if one was asked for and serves."""
        # Imported for those who ask, since that takes half a second.
        if self.implementation == "pallas":
            from musicvae_jax.models import lstm_tpu as module
        elif self.implementation == "triton":
            from musicvae_jax.models import lstm_gpu as module
        else:
            return None
        return module if module.serves(self.features, self.dtype) else None

    @property
    def steps_of_a_turn(self) -> int:
        """Of loops. On a TPU and a CPU a turn costs little, and to compile long ones much."""
        is_for_gpu = self.implementation in ("unrolled", "triton")
        is_on_gpu = self.implementation == "auto" and jax.default_backend() == "gpu"
        return lstm_scan.UNROLL if is_for_gpu or is_on_gpu else 1


def both_directions(
    forward: LSTMLayer, backward: LSTMLayer, drives: tuple[Drive, Drive]
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Runs one layer forwards and another one backwards, from silence.

    On an accelerator, one loop runs both: it takes as long as its steps are many, and hardly
    longer if there is more to do in each.

    Returns:
      For each, the final hidden state [batch, features], and the outputs
      [steps, batch, features].
    """
    carry = forward.zero_carry(drives[0].batch)
    if forward.is_initializing() or forward.is_compiled or forward.implementation == "scan":
        (_, last), outputs = forward(drives[0], carry)
        (_, first), back_outputs = backward(drives[1], carry, reverse=True)
        return (last, outputs), (first, back_outputs)
    if forward.kernels:
        return _in_one_kernel((forward, backward), drives, carry)
    cells = (forward.cell, backward.cell)
    kernel = jnp.stack([cell.recurrent_kernel for cell in cells])
    bias = jnp.stack([cell.bias for cell in cells])[:, None]
    drive = jnp.stack([drives[0].expand(), jnp.flip(drives[1].expand(), axis=0)], axis=1)
    carries = jax.tree.map(lambda state: jnp.stack([state, state]), carry)
    (_, (last, first)), outputs = lstm_scan.lstm(
        drive, kernel, bias, carries, forward.dtype, False, forward.steps_of_a_turn
    )
    return (last, outputs[:, 0]), (first, jnp.flip(outputs[:, 1], axis=0))


def _in_one_kernel(layers: tuple[LSTMLayer, LSTMLayer], drives: tuple[Drive, Drive], carry: Carry):
    """`both_directions` side by side in the columns of one kernel's arrays."""
    cells = [layer.cell for layer in layers]
    kernel = jnp.concatenate([cell.recurrent_kernel for cell in cells], axis=1)
    bias = jnp.concatenate([cell.bias for cell in cells])
    drive = jnp.concatenate([drive.expand() for drive in drives], axis=-1)
    states = (jnp.tile(state, 2) for state in carry)
    _, outputs = layers[0].kernels.lstm(drive, kernel, bias, *states, False, layers[0].dtype)
    outputs, back_outputs = jnp.split(outputs, 2, axis=-1)
    return (outputs[-1], outputs), (back_outputs[0], back_outputs)


class TokenDrive(nn.Module):
    """The part of the gates that a token gives: the row that a one-hot input would pick out.

    Attributes:
      vocab: number of tokens. The token `vocab` itself, and any above, adds nothing:
        it stands for the beginning and for a dropped word.
      features: the width of the state that is driven.
      dtype: of the result.
    """

    vocab: int
    features: int
    dtype: jnp.dtype = jnp.float32

    def setup(self):
        self.table = self.param(
            "table",
            nn.initializers.normal(self.features**-0.5),
            (self.vocab, 4 * self.features),
        )

    def drive(self, tokens: jax.Array, dense: jax.Array | None = None) -> Drive:
        """The drive of tokens [steps, batch] int32, and of `dense` with them."""
        return Drive(dense, tokens, self.table.astype(self.dtype))

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """One step's part: tokens [batch] int32 -> [batch, 4 * features]."""
        return self.drive(tokens).expand()


class InitialState(nn.Module):
    """The first carries of stacked layers: tanh of a linear map (Roberts et al. 2018, 3.2).

    Attributes:
      features: the width of each layer's state.
      num_layers: how many layers.
    """

    features: int
    num_layers: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> list[Carry]:
        """inputs: [..., in] -> a carry of [..., features] for each layer."""
        state = jnp.tanh(nn.Dense(2 * self.num_layers * self.features)(inputs))
        parts = jnp.split(state.astype(jnp.float32), 2 * self.num_layers, axis=-1)
        return list(zip(parts[::2], parts[1::2], strict=True))
