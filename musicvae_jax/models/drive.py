"""What drives an LSTM layer: the part of its gates that its inputs give."""

import flax
import jax
import jax.numpy as jnp


@flax.struct.dataclass
class Drive:
    """The part of the gates that a layer's inputs give: dense + table[tokens].

    Attributes:
      dense: [steps, batch, 4 * features], or [1, batch, 4 * features] where all steps
        are alike, or None.
      tokens: [steps, batch] int32, or None. A token beyond the table adds nothing.
      table: [vocab, 4 * features], or None.
    """

    dense: jax.Array | None = None
    tokens: jax.Array | None = None
    table: jax.Array | None = None

    @property
    def steps(self) -> int:
        """How many steps it drives."""
        return len(self.dense if self.tokens is None else self.tokens)

    @property
    def batch(self) -> int:
        """How many sequences it drives."""
        return (self.dense if self.tokens is None else self.tokens).shape[1]

    def expand(self) -> jax.Array:
        """The sum: [steps, batch, 4 * features]."""
        if self.tokens is None:
            return self.dense
        picked = jnp.take(self.table, self.tokens, axis=0, mode="fill", fill_value=0)
        return picked if self.dense is None else picked + self.dense
