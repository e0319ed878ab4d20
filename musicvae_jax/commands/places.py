"""`--from` and `--to`: which bars of two songs are played before and after their bridge."""

from collections.abc import Mapping
from typing import Any

from musicvae_jax.commands.options import Options
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.music.windows import Music
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import BridgeMaker, Plan
from musicvae_jax.transitions.meters import MeterBridgeMaker
from musicvae_jax.transitions.places import AUTO, between, propose


def check(options: Options) -> None:
    """Raises: UserError: places are given where they mean nothing."""
    told = options.transition
    for flag, value in (("from", told.leave), ("to", told.enter)):
        if value is None:
            continue
        if told.pairs is not None:
            raise UserError(f"--{flag}: cannot be used with --pairs")
        if not told.splice or len(options.inputs) > 2:
            raise UserError(f"--{flag}: needs --splice and two files in --input")


def choose(
    inputs: Mapping[str, Music],
    sources: Mapping[str, Source],
    maker: BridgeMaker | MeterBridgeMaker,
    plan: Plan,
    options: Options,
    *,
    key_path: str | None,
) -> tuple[dict[str, Music], dict[str, Source], dict[str, Any]]:
    """What is played of the inputs, by `--from` and `--to`.

    Args:
      inputs: melodies, or drums, by title.
      sources: the files whole by the same titles, if they are to be played.
      maker: of the bridges, by which places are compared.
      plan: of the bridges.
      options: with the places.
      key_path: as for `places.propose`.

    Returns:
      The inputs and the files from and to the chosen bars, and the proposals for JSON; empty
      if no place was given.

    Raises:
      UserError: a melody does not have that bar.
    """
    told = options.transition
    if told.leave is None and told.enter is None:
        return dict(inputs), dict(sources), {}
    usual = "dual_conductor"
    strategy = usual if usual in told.strategies else told.strategies[0]
    first, second = inputs.values()
    proposals = propose(
        maker,
        (first, second),
        plan,
        leave=told.leave,
        enter=told.enter,
        strategy=strategy,
        key_path=key_path,
        seed=options.seed,
    )
    best = proposals[0]
    titles = list(inputs)
    played = dict(
        zip(titles, between((first, second), best.leave.bar, best.enter.bar), strict=True)
    )
    spans = {titles[0]: (0, best.leave.bar), titles[1]: (best.enter.bar, second.num_bars)}
    whole = {title: source.between(*spans[title]) for title, source in sources.items()}
    report: dict[str, Any] = {"from": best.leave.bar, "to": best.enter.bar + 1}
    if AUTO in (told.leave, told.enter):
        report |= {"strategy": strategy, "proposals": [each.report() for each in proposals]}
    return played, whole, {"places": report}
