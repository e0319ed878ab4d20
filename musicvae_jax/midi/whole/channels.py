"""Which channel of a medley each channel of a file gets."""

from musicvae_jax.midi.whole import accompaniment
from musicvae_jax.midi.whole.arrangement import PITCHED_CHANNELS, Source
from musicvae_jax.midi.whole.events import DRUM_CHANNEL


def assign(source: Source, used: dict[int, int]) -> dict[int, int]:
    """Channels for a file's channels, so that it does not disturb the file before it.

    Drums stay on their channel. Any other channel keeps its number if the file before does
    not use it, or gets one that neither uses. When all 15 are used, channels are shared, the
    melody's last: where two files share one, the second has it from the middle of the bridge
    on (`crossing.cross`).

    Args:
      source: the file.
      used: the channels of the file before, as returned for it; empty for the first file.

    Returns:
      For each channel of the file with notes the channel that it gets.
    """
    taken = set(used.values())
    lead, _ = accompaniment.lead_channels(source, range(min(8, source.melody.num_bars)))
    numbers = [number for number in source.arrangement.channels if number != DRUM_CHANNEL]
    numbers.sort(key=lambda number: number != lead)
    result = {number: number for number in numbers if number not in taken}
    if DRUM_CHANNEL in source.arrangement.channels:
        result[DRUM_CHANNEL] = DRUM_CHANNEL
    for number in numbers:
        if number in result:
            continue
        rest = [c for c in PITCHED_CHANNELS if c not in result.values()]
        free = [c for c in rest if c not in taken]
        result[number] = (free or ([number] if number in rest else []) or rest)[0]
    return result
