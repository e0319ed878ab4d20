"""The decoder: a conductor over bars and a note LSTM within them.

It always receives a path, one latent vector for each bar. A melody of one latent
is a path that stands still; a transition is a path that moves.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from musicvae_jax.models import noise
from musicvae_jax.models.lstm import Carry, Drive, InitialState, LSTMLayer, TokenDrive
from musicvae_jax.models.shares import Shares

_DROPOUT_OUTPUT, _DROPOUT_LAYER = 100, 101  # purposes, apart from the encoder's
# Arguments of `nn.scan` over steps that share all parameters.
_SAME_PARAMS = {"variable_broadcast": "params", "split_rngs": {"params": False}}


class Conductor(nn.Module):
    """Turns a path into bar embeddings (Roberts et al. 2018, section 3.2).

    Attributes:
      features: the width of each LSTM.
      num_layers: stacked layers.
      input_features: if not 0, the path is first mapped linearly to this width.
      bars: if not 0, each of that many bars is given its share of the latent (see
        `shares`); a path has at most that many, and `input_features` is not used.
      embedding: if not 0, the outputs are mapped linearly to this width.
      learned_state: begin from tanh(W z[0]) instead of zeros.
      dtype, implementation: see `LSTMLayer`.
    """

    features: int
    num_layers: int
    input_features: int = 0
    bars: int = 0
    embedding: int = 0
    learned_state: bool = True
    dtype: jnp.dtype = jnp.float32
    implementation: str = "auto"

    @nn.compact
    def __call__(self, path: jax.Array) -> jax.Array:
        """path: [bars, batch, z] -> bar embeddings: [bars, batch, embedding]."""
        inputs = path
        if self.bars:
            inputs = Shares(self.bars, name="shares")(path)
        elif self.input_features:
            path = inputs = nn.Dense(self.input_features, name="input")(path)
        layers = [
            LSTMLayer(self.features, self.dtype, self.implementation, name=f"layer_{number}")
            for number in range(self.num_layers)
        ]
        if self.learned_state:
            carries = InitialState(self.features, self.num_layers, name="initial")(path[0])
        else:
            carries = [layer.zero_carry(path.shape[1]) for layer in layers]
        outputs = inputs
        for layer, carry in zip(layers, carries, strict=True):
            _, outputs = layer(Drive(layer.drive(outputs)), carry)
        if self.embedding:
            outputs = nn.Dense(self.embedding, name="embedding")(outputs)
        return outputs


class Decoder(nn.Module):
    """The distribution p(melody | path).

    A hierarchical decoder begins each bar from a state that depends only on that
    bar's embedding, so that what it knows of the other bars must come through the
    conductor. A flat one has no conductor and runs on from the first step to the
    last; the path is its embedding.

    Attributes:
      vocab: number of tokens; the token `vocab` stands for none (see `TokenDrive`).
      features: the width of each note LSTM.
      num_layers: stacked layers.
      steps_per_bar: steps of one bar.
      conductor: the conductor's arguments, or None for a flat decoder.
      learned_state: begin a bar from tanh(W e[bar]) instead of zeros.
      dropout: share of features dropped between layers and before the logits.
      dtype, implementation: see `LSTMLayer`.
    """

    vocab: int
    features: int
    num_layers: int
    steps_per_bar: int
    conductor: dict | None
    learned_state: bool = True
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32
    implementation: str = "auto"

    def setup(self):
        if self.conductor is not None:
            self.conductor_lstm = Conductor(
                **self.conductor,
                learned_state=self.learned_state,
                dtype=self.dtype,
                implementation=self.implementation,
            )
        self.tokens = TokenDrive(self.vocab, self.features, self.dtype)
        self.layers = [
            LSTMLayer(self.features, self.dtype, self.implementation)
            for _ in range(self.num_layers)
        ]
        if self.learned_state:
            self.initial = InitialState(self.features, self.num_layers)
        self.logits = nn.Dense(self.vocab, dtype=self.dtype)

    @property
    def is_flat(self) -> bool:
        return self.conductor is None

    def bar_embeddings(self, path: jax.Array) -> jax.Array:
        """path: [batch, bars, z] -> [bars, batch, embedding]."""
        path = path.swapaxes(0, 1)
        return path if self.is_flat else self.conductor_lstm(path)

    def _first_carries(self, embedding: jax.Array) -> list[Carry]:
        """States at the beginning of a bar with embedding: [rows, embedding]."""
        if self.learned_state:
            return self.initial(embedding)
        return [layer.zero_carry(embedding.shape[0]) for layer in self.layers]

    def _step(
        self, carries: list[Carry], token: jax.Array, bar_drive: jax.Array
    ) -> tuple[list[Carry], jax.Array]:
        """One note step without dropout.

        Args:
          carries: one carry of [rows, features] for each layer.
          token: [rows] int32, the previous token.
          bar_drive: [rows, 4 * features], the bar embedding's part of the gates.

        Returns:
          The next carries, and logits: [rows, vocab] float32.
        """
        drive = self.tokens(token) + bar_drive
        next_carries, outputs = [], None
        for layer, carry in zip(self.layers, carries, strict=True):
            if outputs is not None:
                drive = layer.drive(outputs)
            carry, outputs = layer.step(carry, drive)
            next_carries.append(carry)
        return next_carries, self.logits(outputs).astype(jnp.float32)

    def _rows(self, per_step: jax.Array, bars: int) -> jax.Array:
        """[batch, steps] -> [segment steps, segments * batch]; a segment has one state."""
        batch = per_step.shape[0]
        segments = 1 if self.is_flat else bars
        return (
            per_step.reshape(batch, segments, -1).transpose(2, 1, 0).reshape(-1, segments * batch)
        )

    def _unrows(self, rows: jax.Array, batch: int) -> jax.Array:
        """[segment steps, segments * batch, n] -> [batch, steps, n]."""
        segment_steps, _, size = rows.shape
        return (
            rows.reshape(segment_steps, -1, batch, size)
            .transpose(2, 1, 0, 3)
            .reshape(batch, -1, size)
        )

    def _segments(self, embeddings: jax.Array) -> tuple[list[Carry], jax.Array]:
        """First carries, and bar drives [segment steps or 1, rows, 4 * features]."""
        bars, batch, size = embeddings.shape
        bar_drive = self.layers[0].drive(embeddings)
        if self.is_flat:
            return self._first_carries(embeddings[0]), jnp.repeat(
                bar_drive, self.steps_per_bar, axis=0
            )
        rows = embeddings.reshape(bars * batch, size)
        return self._first_carries(rows), bar_drive.reshape(1, bars * batch, -1)

    def teacher_forced(
        self, path: jax.Array, inputs: jax.Array, keys: jax.Array | None = None
    ) -> jax.Array:
        """`teacher_forced_bars` along a path: [batch, bars, z]."""
        return self.teacher_forced_bars(self.bar_embeddings(path), inputs, keys)

    def teacher_forced_bars(
        self, embeddings: jax.Array, inputs: jax.Array, keys: jax.Array | None = None
    ) -> jax.Array:
        """Logits of every step, given the tokens before it.

        With a conductor all bars are computed at once, as rows of a larger batch.

        Args:
          embeddings: [bars, batch, embedding], from `bar_embeddings`.
          inputs: [batch, bars * steps_per_bar] int32, the previous tokens.
          keys: [batch] keys for dropout, or None for none.

        Returns:
          [batch, steps, vocab] float32.
        """
        bars, batch, _ = embeddings.shape
        carries, bar_drive = self._segments(embeddings)
        drive = self.tokens.drive(self._rows(inputs, bars), bar_drive)
        outputs = None
        for number, (layer, carry) in enumerate(zip(self.layers, carries, strict=True)):
            if outputs is not None:
                outputs = self._drop(outputs, batch, keys, _DROPOUT_LAYER + number)
                drive = Drive(layer.drive(outputs))
            _, outputs = layer(drive, carry)
        outputs = self._drop(outputs, batch, keys, _DROPOUT_OUTPUT)
        return self._unrows(self.logits(outputs), batch).astype(jnp.float32)

    def _drop(self, rows: jax.Array, batch: int, keys: jax.Array | None, purpose: int) -> jax.Array:
        steps, _, size = rows.shape
        by_example = rows.reshape(steps, -1, batch, size)
        return noise.dropout(by_example, self.dropout, keys, purpose).reshape(rows.shape)

    def with_samples(
        self, embeddings: jax.Array, inputs: jax.Array, keys: jax.Array, probability: jax.Array
    ) -> jax.Array:
        """Previous tokens, of which some are replaced by the model's own samples.

        Scheduled sampling (Bengio et al. 2015, arXiv 1506.03099). With a conductor
        the bars stay parallel, so the first step of each bar sees the true token.
        No gradient flows through the samples, so that `teacher_forced_bars` of what
        is returned gives the loss and its gradients.

        Args:
          embeddings: [bars, batch, embedding], from `bar_embeddings`.
          inputs: [batch, steps] int32, the previous tokens.
          keys: [batch] keys.
          probability: of replacing a token.

        Returns:
          [batch, steps] int32.
        """
        bars, batch, _ = embeddings.shape
        carries, bar_drive = self._segments(embeddings)
        rows = self._rows(inputs, bars)
        segment_steps, num_rows = rows.shape
        replace = noise.bernoulli(noise.fold_in(keys, 0), probability, inputs.shape[1:])
        replace = self._rows(replace, bars).at[0].set(False)
        segments = num_rows // batch
        segment = jnp.repeat(jnp.arange(segments), batch)
        row_keys = jnp.tile(noise.fold_in(keys, 1), segments)
        row_keys = jax.vmap(jax.random.fold_in)(row_keys, segment)

        def body(decoder, carry, step):
            carries, sampled = carry
            token, is_replaced, drive, preference = step
            token = jnp.where(is_replaced, sampled, token)
            carries, logits = decoder._step(carries, token, drive)
            sampled = jnp.argmax(logits + preference, axis=-1).astype(jnp.int32)
            return jax.lax.stop_gradient((carries, sampled)), token

        scan = nn.scan(body, **_SAME_PARAMS, unroll=self.layers[0].steps_of_a_turn)
        bar_drive = jnp.broadcast_to(bar_drive, (segment_steps, *bar_drive.shape[1:]))
        preference = noise.scaled_gumbel(row_keys, segment_steps, self.vocab, 1.0)
        xs = (rows, replace, bar_drive, preference)
        _, tokens = scan(self, jax.lax.stop_gradient((carries, rows[0])), xs)
        return self._unrows(tokens[..., None], batch)[..., 0]

    def sample(
        self,
        path: jax.Array,
        keys: jax.Array,
        temperature: jax.Array | float,
        given: jax.Array,
        is_given: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:
        """`sample_bars` along a path: [batch, bars, z]."""
        return self.sample_bars(self.bar_embeddings(path), keys, temperature, given, is_given)

    def sample_bars(
        self,
        embeddings: jax.Array,
        keys: jax.Array,
        temperature: jax.Array | float,
        given: jax.Array,
        is_given: jax.Array,
        bias: jax.Array | None = None,
        before: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Decodes freely: each step sees the model's own previous token.

        Args:
          embeddings: [bars, batch, embedding], from `bar_embeddings`.
          keys: [batch] keys.
          temperature: 0 takes the likeliest token, 1 samples the distribution.
          given: [batch, steps] int32, tokens to keep where `is_given`.
          is_given: [batch, steps] bool.
          bias: if not None, [batch, steps, vocab] is added to the logits before a token
            is chosen; minus infinity forbids one.
          before: [batch] int32, the tokens before the first ones; None for none.

        Returns:
          tokens: [batch, steps] int32, and the natural logarithms of their
          probabilities at temperature 1, without the bias: [batch, steps] float32.
        """
        bars, batch, _ = embeddings.shape
        unroll = self.layers[0].steps_of_a_turn

        def by_bar(per_step):
            return jnp.moveaxis(per_step.reshape(batch, bars, -1, *per_step.shape[2:]), 0, 2)

        def step_body(decoder, carry, step):
            carries, token, bar_drive = carry
            preference, given = step
            carries, logits = decoder._step(carries, token, bar_drive)
            # As a preference, which costs no launch of its own, unlike a choice of tokens.
            is_this = given[:, None] == jnp.arange(decoder.vocab)
            only = jnp.where(is_this, 0, -jnp.inf)
            preference = jnp.where(given[:, None] < 0, preference, only)
            token = jnp.argmax(logits + preference, axis=-1).astype(jnp.int32)
            return (carries, token, bar_drive), (token, logits)

        def bar_body(decoder, carry, bar):
            carries, token = carry
            embedding, *steps = bar
            if not decoder.is_flat:
                carries = decoder._first_carries(embedding)
            bar_drive = decoder.layers[0].drive(embedding)
            scan = nn.scan(step_body, **_SAME_PARAMS, unroll=unroll)
            (carries, token, _), outputs = scan(decoder, (carries, token, bar_drive), tuple(steps))
            return (carries, token), outputs

        scan = nn.scan(bar_body, **_SAME_PARAMS)
        start = jnp.full((batch,), self.vocab, jnp.int32) if before is None else before
        # In the loop each operation costs a launch: what can be done for all steps is done outside.
        preference = noise.scaled_gumbel(keys, given.shape[1], self.vocab, temperature)
        preference = preference.reshape(bars, -1, batch, self.vocab)
        if bias is not None:
            preference += by_bar(bias)
        carry = (self._first_carries(embeddings[0]), start)
        xs = (embeddings, preference, by_bar(jnp.where(is_given, given, -1)))
        _, (tokens, logits) = scan(self, carry, xs)
        chosen = jnp.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
        log_probs = chosen - nn.logsumexp(logits, axis=-1)
        # [bars, steps_per_bar, batch] -> [batch, steps]
        return tuple(out.transpose(2, 0, 1).reshape(batch, -1) for out in (tokens, log_probs))
