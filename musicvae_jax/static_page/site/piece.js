// Melodies and the bridge between them as one piece: what is seen, heard and downloaded.

import { barsOf, STEPS_PER_BAR } from "./notes.js";

const STEPS_PER_QUARTER = 4;
const VELOCITY = 80;
const NOTICEABLE = 0.025; // of the lengths of two beats, see `music/tempo.py`

export const microseconds = (bpm) => Math.round(60e6 / bpm);

/** `tempo.tempo_ramp`: the tempos of a bridge, as [step, bpm]. */
function tempoRamp(before, after, bars) {
  if (Math.abs(before - after) <= 1e-9 * after) return [[0, before]];
  let [every, ratio] = [0, 0];
  for (every of [STEPS_PER_QUARTER, 1]) {
    ratio = (after / before) ** (1 / ((bars * STEPS_PER_BAR) / every + 1));
    if (Math.abs(Math.log(ratio)) <= NOTICEABLE) break;
  }
  return Array.from({ length: (bars * STEPS_PER_BAR) / every }, (_, index) => [
    every * index,
    before * ratio ** (index + 1),
  ]);
}

const section = (label, title, melody, t, ends) => ({
  ...{ label, title, melody, t, ends, key: "" },
  bars: barsOf(melody),
  is_bridge: label === "bridge",
});

function assemble(parts) {
  const tempos = [];
  let bar = 0;
  for (const part of parts) {
    part.start_bar = bar;
    const [before, after] = part.ends;
    for (const [step, bpm] of tempoRamp(before.tempo_bpm, after.tempo_bpm, part.bars)) {
      const is_new = !tempos.length || microseconds(bpm) !== microseconds(tempos.at(-1)[1]);
      if (is_new) tempos.push([bar * STEPS_PER_BAR + step, bpm]);
    }
    bar += part.bars;
  }
  return { sections: parts, tempos, bars: bar };
}

/** Two melodies with a bridge between them, as `assembly.splice` puts them together. */
export function splice(first, bridge, second, titles, t) {
  return assemble([
    section("melody 1", titles[0], first, new Array(barsOf(first)).fill(0), [first, first]),
    section("bridge", "", bridge, t, [first, second]),
    section("melody 2", titles[1], second, new Array(barsOf(second)).fill(1), [second, second]),
  ]);
}

/** One melody; `t` is its colour. */
export const single = (melody, t = 0) =>
  assemble([section("melody", "", melody, new Array(barsOf(melody)).fill(t), [melody, melody])]);

/** The notes of all sections, as [pitch, start, end] in steps of the piece. */
export const notesOf = ({ sections }) =>
  sections.flatMap(({ melody, start_bar }) =>
    melody.notes.map(([pitch, start, end]) => {
      const first = start_bar * STEPS_PER_BAR;
      return [pitch, start + first, end + first];
    }),
  );

/**
 * The instruments, in order: [program, notes], of [pitch, start, end, velocity].
 *
 * In a bridge both play the line, with velocities that cross at equal power.
 */
export function voicesOf({ sections }) {
  const voices = new Map();
  for (const { melody, start_bar, bars, ends } of sections) {
    const [before, after] = ends.map(({ program }) => program);
    const length = bars * STEPS_PER_BAR;
    const gains = new Map([[before, (share) => Math.cos((share * Math.PI) / 2)]]);
    gains.set(after, before === after ? () => 1 : (share) => Math.sin((share * Math.PI) / 2));
    for (const [program, gain] of gains) {
      if (!voices.has(program)) voices.set(program, []);
      for (const [pitch, start, end] of melody.notes) {
        const share = (start + end) / 2 / length;
        const velocity = Math.round(VELOCITY * Math.sqrt(gain(share)));
        const first = start_bar * STEPS_PER_BAR;
        if (velocity > 0) voices.get(program).push([pitch, start + first, end + first, velocity]);
      }
    }
  }
  return [...voices];
}

/** What `roll.js` and `player.js` show of a piece. */
export function viewOf(piece) {
  let seconds = 0;
  const tempos = piece.tempos.map(([step, bpm], index) => {
    const length = microseconds(bpm) / STEPS_PER_QUARTER / 1e6;
    const next = piece.tempos[index + 1]?.[0] ?? piece.bars * STEPS_PER_BAR;
    const told = [step, seconds, length];
    seconds += (next - step) * length;
    return told;
  });
  const { bars, sections } = piece;
  const t = sections.flatMap((part) => part.t);
  return { bars, duration_sec: seconds, loops: false, tempos, notes: notesOf(piece), t, sections };
}
