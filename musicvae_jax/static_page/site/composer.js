// Bars that the prior writes, as `musicvae_jax/inference/composer.py` has it, for one melody.

import { barsOf, playRound, toLine, toTokens } from "./notes.js";
import { foldIn, integer, normal } from "./random.js";

const PHASES = 32;
const [NOISE, BEGINNING] = [0, 1]; // purposes of random numbers

/** The code of each bar of a melody. */
export async function codesOf(model, melody) {
  const { bars, size } = model;
  const length = barsOf(melody);
  const codes = [];
  for (let next = 0; next < length; next += bars) {
    const first = Math.min(next, Math.max(length - bars, 0));
    const z = await model.encode(toTokens(toLine(playRound(melody, first, bars))));
    for (let bar = 0; bar < bars; bar += 1) {
      codes[first + bar] = z.slice(bar * size, (bar + 1) * size);
    }
  }
  return codes.slice(0, length);
}

/** Where bars of which nothing is known stand. */
const anywhere = (model, bars) => ({
  phase: new Array(bars).fill(PHASES),
  source: model.sources,
  form: Array.from({ length: bars }, (_, bar) => bar),
});

/** The outline of a new melody: that of some melody that the prior has learned from. */
function beginning(model, key) {
  const width = model.bars + 2;
  const chosen = integer(foldIn(key, BEGINNING), model.outlines.length / width);
  const row = model.outlines.slice(chosen * width, (chosen + 1) * width);
  return {
    phase: Array.from({ length: model.bars }, (_, bar) => (row.at(-1) + bar) % PHASES),
    source: row.at(-2),
    form: [...row.slice(0, model.bars)],
  };
}

/** What is drawn one after another: the bars that are seen, and those of them to be kept. */
function* windows(bars, window) {
  const quarter = Math.max(Math.floor(window / 4), 1);
  for (let first = 0; first < bars; ) {
    const most = Math.max(bars - window, 0);
    const start = Math.min(Math.max(first - Math.floor(window / 2), 0), most);
    const stop = start + window >= bars ? bars : Math.max(start + window - quarter, first + 1);
    yield { start, first, stop };
    first = stop;
  }
}

/**
 * Draws the bars that are not known, given those that are: at least as many as the model has.
 *
 * `firstLevel` 0 draws freely; towards 1, ever nearer to what `codes` says of them.
 */
async function write(model, codes, known, key, place, firstLevel) {
  const { bars: window, size, mean, unit, sampling } = model;
  const standard = codes.map((code) => code.map((x, i) => (x - mean[i]) / unit[i]));
  const noise = normal(foldIn(key, NOISE), codes.length * size);
  const drawn = place.form.map((root) => noise.subarray(root * size, (root + 1) * size));
  const scale = (1 - firstLevel) * sampling.temperature;
  const now = standard.map((code, bar) =>
    known[bar] ? code : code.map((x, i) => scale * drawn[bar][i] + firstLevel * x),
  );
  const level = known.map((is) => (is ? 1 : firstLevel));
  for (const { start, first, stop } of windows(codes.length, window)) {
    // What is equal to a bar that is written already is written as well.
    place.form.forEach((root, bar) => {
      if (root >= first || level[bar] === 1) return;
      now[bar] = now[root];
      level[bar] = 1;
    });
    const seen = Array.from({ length: window }, (_, bar) => start + bar);
    const moves = seen.map((bar) => bar >= first && level[bar] < 1);
    if (moves.some(Boolean)) {
      const of = (values) => seen.map((bar) => values[bar]);
      const form = of(place.form).map((root) => Math.max(root - start, 0));
      const rows = [of(now), of(level), moves, of(place.phase), place.source, form];
      const made = await model.write(...rows);
      for (let bar = first; bar < stop; bar += 1) now[bar] = made[bar - start];
    }
    level.fill(1, first, stop);
  }
  return now.map((code, bar) => (known[bar] ? codes[bar] : code.map((x, i) => x * unit[i] + mean[i])));
}

/** Codes of bars as latents, one for each window of bars; the last code is repeated. */
function latents(model, codes) {
  const made = [];
  for (let first = 0; first < codes.length; first += model.bars) {
    const bars = Array.from({ length: model.bars }, (_, bar) => codes[first + bar] || codes.at(-1));
    made.push(Float32Array.from(bars.flatMap((code) => [...code])));
  }
  return made;
}

/**
 * The latents of a melody of which some bars are kept, and the others written anew.
 *
 * `firstBar` is the number of its first bar in its song. It has at least as many bars as the model.
 */
export async function filledLatents(model, draft, known, key, firstBar) {
  const codes = await codesOf(model, draft);
  const phase = codes.map((_, bar) => (firstBar + bar) % PHASES);
  const place = { ...anywhere(model, codes.length), phase };
  return latents(model, await write(model, codes, known, key, place, 0));
}

/** The latent of a new melody of as many bars as the model has. */
export async function newLatent(model, key) {
  const codes = Array.from({ length: model.bars }, () => new Float32Array(model.size));
  const known = codes.map(() => false);
  const [latent] = latents(model, await write(model, codes, known, key, beginning(model, key), 0));
  return latent;
}

/**
 * The latents of a bridge between two melodies, as `transitions/composing.py` has it.
 *
 * `draft` is the bridge of another way; `adherence` 1 gives it back, and 0 composes freely.
 */
export async function bridgeLatents(model, first, second, draft, key, adherence) {
  const { bars } = model;
  const around = bars >> 1;
  const length = barsOf(first);
  const start = (length - (bars % length)) % length;
  const [before, after, inner] = [
    (await codesOf(model, playRound(first, start, bars))).slice(bars - around),
    (await codesOf(model, playRound(second, 0, bars))).slice(0, around),
    await codesOf(model, draft),
  ];
  const known = [
    ...before.map((_, bar) => around - 1 - bar < length),
    ...inner.map(() => false),
    ...after.map((_, bar) => bar < barsOf(second)),
  ];
  const codes = [...before, ...inner, ...after];
  const firstLevel = 1 - (1 - adherence) ** 3;
  const place = anywhere(model, codes.length);
  const written = await write(model, codes, known, key, place, firstLevel);
  return latents(model, written.slice(around, around + inner.length));
}
