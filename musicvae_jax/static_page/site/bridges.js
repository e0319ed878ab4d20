// Bridges and new melodies, as `musicvae_jax/transitions` and `musicvae_jax/inference` make them.

import { bridgeLatents, filledLatents, newLatent } from "./composer.js";
import {
  barsOf, bridgeEnds, choose, fromTokens, join, pick, playRound, STEPS_PER_BAR, toGiven, toLine,
  toTokens, window,
} from "./notes.js";
import { foldIn, gumbel, keyOf } from "./random.js";

const DECODE = 1; // the purpose of random numbers

/** How far each bar of a bridge has come from the first melody to the second. */
export const curve = (bars) =>
  Array.from({ length: bars }, (_, bar) => Math.fround((bar + 1) / (bars + 1)));

/** One latent for each bar: those of windows, which are as long as the model's. */
const pathOf = (model, windows, bars) =>
  Array.from({ length: bars }, (_, bar) => windows[Math.floor(bar / model.bars)]);

/** `encoding.mean_path`: of a melody of any length, the last window filled from its beginning. */
async function meanPath(model, melody) {
  const line = toLine(melody);
  const [steps, window] = [melody.num_steps, model.bars * STEPS_PER_BAR];
  const windows = [];
  for (let first = 0; first < steps; first += window) {
    const places = Array.from({ length: window }, (_, step) => (first + step) % steps);
    const looped = pick(line, places, (step) => step === 0 || places[step] === 0);
    windows.push(await model.encode(toTokens(looped)));
  }
  return pathOf(model, windows, barsOf(melody));
}

const mix = (one, two, t) =>
  one.map((values, bar) => values.map((x, i) => (1 - t[bar]) * x + t[bar] * two[bar][i]));

/** What makes a choice by chance: for each bar, noise that is added to the logits. */
function chance(model, key, temperature) {
  if (!temperature) return undefined;
  return (bar) =>
    Array.from({ length: STEPS_PER_BAR }, (_, step) => bar * STEPS_PER_BAR + step).flatMap((step) =>
      [...gumbel(foldIn(key, step), model.vocab)].map((x) => temperature * x),
    );
}

async function steady(model, [first, second], t, bias) {
  const paths = [await meanPath(model, first), await meanPath(model, second)];
  const embeddings = [await model.conduct(paths[0]), await model.conduct(paths[1])];
  return model.decode(mix(...embeddings, t), bias);
}

async function morph(model, [first, second], t, bias) {
  const path = mix(await meanPath(model, first), await meanPath(model, second), t);
  return model.decode(await model.conduct(path), bias);
}

function cut([first, second], t) {
  const takesSecond = (step) => t[Math.floor(step / STEPS_PER_BAR)] >= 0.5;
  return toTokens(choose(takesSecond, toLine(first), toLine(second)));
}

/**
 * A bridge from one melody to another, to be played between them.
 *
 * The options are those of the command line: `strategy`, `bars`, `seed`, `temperature` and
 * `adherence`.
 */
export async function bridge(model, first, second, options) {
  const { strategy, bars, seed, temperature, adherence } = options;
  const ends = bridgeEnds(first, second, bars);
  const t = curve(bars);
  const key = foldIn(foldIn(keyOf(seed), 0), 0); // of the first candidate of the first pair
  const bias = chance(model, foldIn(key, DECODE), temperature);
  const told = { tempo_bpm: first.tempo_bpm, program: first.program };
  const made = (tokens) => ({ ...told, notes: fromTokens(tokens), num_steps: bars * STEPS_PER_BAR });
  if (strategy === "cut") return made(cut(ends, t));
  if (strategy === "latent") return made(await morph(model, ends, t, bias));
  if (strategy === "dual_conductor") return made(await steady(model, ends, t, bias));
  const draft = made(await steady(model, ends, t));
  const windows = await bridgeLatents(model, first, second, draft, key, adherence);
  const path = pathOf(model, windows, bars);
  return made(await model.decode(await model.conduct(path), bias));
}

/** A new melody of as many bars as the model has. */
export async function newMelody(model, seed) {
  const key = foldIn(keyOf(seed), 0);
  const latent = await newLatent(model, key);
  const tokens = await model.decode(await model.conduct(pathOf(model, [latent], model.bars)));
  return { notes: fromTokens(tokens), num_steps: tokens.length, tempo_bpm: 120, program: 0 };
}

/** A melody that goes on: the first continuation that `MelodyModel.complete` writes by default. */
export async function continuation(model, melody, seed) {
  const length = barsOf(melody);
  const context = Math.min(length, model.bars >> 1);
  const heard = window(melody, length - context, context);
  const draft = playRound(heard, 0, model.bars);
  const known = Array.from({ length: model.bars }, (_, bar) => bar < context);
  const key = foldIn(keyOf(seed), 0);
  const windows = await filledLatents(model, draft, known, key, length - context);
  const path = pathOf(model, windows, model.bars);
  const embeddings = await model.conduct(path);
  const tokens = await model.decode(embeddings, undefined, toGiven(heard));
  const made = { ...heard, notes: fromTokens(tokens), num_steps: tokens.length };
  return join([melody, window(made, context, model.bars - context)]);
}
