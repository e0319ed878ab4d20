// Melodies on the grid of sixteenths, as tokens, as notes, and step by step.
//
// A melody is { notes: [[pitch, start, end], ...], num_steps, tempo_bpm, program }: at most one
// note sounds, and steps are sixteenths. Tokens: 0 holds, 1 ends a note, 2 to 89 begin the pitches
// 21 to 108. Step by step, a line is { pitch, onset }, with SILENCE where nothing sounds.

export const STEPS_PER_BAR = 16;
export const [LOWEST, HIGHEST] = [21, 108];
const [HOLD, OFF, FIRST_ONSET] = [0, 1, 2];
const SILENCE = -1;

export const barsOf = (melody) => Math.ceil(melody.num_steps / STEPS_PER_BAR);

/** `Melody.window`: some bars; a note that sounds already is struck at the first step. */
export function window(melody, firstBar, bars) {
  const first = firstBar * STEPS_PER_BAR;
  const length = bars * STEPS_PER_BAR;
  const inside = (step) => Math.min(Math.max(step - first, 0), length);
  const notes = melody.notes
    .map(([pitch, start, end]) => [pitch, inside(start), inside(end)])
    .filter(([, start, end]) => end > start);
  return { ...melody, notes, num_steps: length };
}

/** Melodies one after the other, each from a bar line, with the tempo and program of the first. */
export function join(melodies) {
  let first = 0;
  const notes = [];
  for (const melody of melodies) {
    for (const [pitch, start, end] of melody.notes) notes.push([pitch, start + first, end + first]);
    first += barsOf(melody) * STEPS_PER_BAR;
  }
  return { ...melodies[0], notes, num_steps: first };
}

/** `windows.play_round`: bars of a melody that is played round and round. */
export function playRound(melody, firstBar, bars) {
  const rounds = Math.ceil((firstBar + bars) / barsOf(melody));
  return window(join(new Array(rounds).fill(melody)), firstBar, bars);
}

/** `windows.bridge_ends` of a bridge that is spliced in. */
export function bridgeEnds(first, second, bars) {
  const taken = Math.min(bars, barsOf(first));
  const end = window(first, barsOf(first) - taken, taken);
  const beginning = window(second, 0, Math.min(bars, barsOf(second)));
  const length = barsOf(beginning);
  const start = (length - (bars % length)) % length;
  return [playRound(end, 0, bars), playRound(beginning, start, bars)];
}

/** What sounds at each step. */
export function toLine({ notes, num_steps }) {
  const line = { pitch: new Int32Array(num_steps).fill(SILENCE), onset: new Uint8Array(num_steps) };
  for (const [pitch, start, end] of notes) {
    line.pitch.fill(pitch, start, end);
    line.onset[start] = 1;
  }
  return line;
}

/** The steps `places` of a line, where `strikes` says so struck again. */
export function pick(line, places, strikes) {
  const pitch = Int32Array.from(places, (place) => line.pitch[place]);
  const onset = Uint8Array.from(places, (place, step) =>
    Number(pitch[step] !== SILENCE && (line.onset[place] || strikes(step))),
  );
  return { pitch, onset };
}

/** Each step from one of two lines; what sounds after a change is struck. */
export function choose(takesSecond, first, second) {
  const { length } = first.pitch;
  const both = {
    pitch: [...first.pitch, ...second.pitch],
    onset: [...first.onset, ...second.onset],
  };
  const places = Array.from({ length }, (_, step) => step + (takesSecond(step) ? length : 0));
  return pick(both, places, (step) => step > 0 && takesSecond(step) !== takesSecond(step - 1));
}

/** The tokens of a line. */
export function toTokens({ pitch, onset }) {
  return Int32Array.from(pitch, (one, step) => {
    if (onset[step]) return FIRST_ONSET + one - LOWEST;
    const wasSounding = step > 0 && pitch[step - 1] !== SILENCE;
    return one === SILENCE && wasSounding ? OFF : HOLD;
  });
}

/** The tokens of a melody that is given: where it begins in silence, that is said. */
export function toGiven(melody) {
  const tokens = toTokens(toLine(melody));
  if (tokens[0] === HOLD) tokens[0] = OFF;
  return tokens;
}

/** The notes of tokens. */
export function fromTokens(tokens) {
  const notes = [];
  let sounding = null;
  const finish = (step) => {
    if (sounding) notes.push([...sounding, step]);
    sounding = null;
  };
  tokens.forEach((token, step) => {
    if (token === HOLD) return;
    finish(step);
    if (token >= FIRST_ONSET) sounding = [token - FIRST_ONSET + LOWEST, step];
  });
  finish(tokens.length);
  return notes;
}
