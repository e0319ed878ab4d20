// A line of notes, one at a time, and what an editor does with it.
//
// A note is [pitch, start, end] in steps. Regions are [from, to] in steps: notes may be changed
// in these alone, and none leaves its own.

import { perBar } from "./roll.js";

const LOWEST = 21; // of the piano
const HIGHEST = 108;
const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** The region that a step lies in, or undefined. */
export const regionOf = (regions, step) => regions.find(([from, to]) => from <= step && step < to);

/** The notes and one more, which takes its time from those that were there; and its place. */
function put(notes, note) {
  const [, start, end] = note;
  const others = notes.flatMap(([pitch, from, to]) => {
    if (to <= start || end <= from) return [[pitch, from, to]];
    if (from < start) return [[pitch, from, start]];
    return to > end ? [[pitch, end, to]] : [];
  });
  const all = [...others, note].sort((one, two) => one[1] - two[1]);
  return { notes: all, index: all.indexOf(note) };
}

export const without = (notes, index) => notes.filter((_, place) => place !== index);

/** A note moved by semitones and steps. */
export function moved(notes, index, semitones, steps, regions) {
  const [pitch, start, end] = notes[index];
  const [from, to] = regionOf(regions, start);
  const begin = clamp(start + steps, from, to - (end - start));
  const note = [clamp(pitch + semitones, LOWEST, HIGHEST), begin, begin + end - start];
  return put(without(notes, index), note);
}

/** A note made longer or shorter by steps. */
export function stretched(notes, index, steps, regions) {
  const [pitch, start, end] = notes[index];
  const [, to] = regionOf(regions, start);
  return put(without(notes, index), [pitch, start, clamp(end + steps, start + 1, to)]);
}

/** A note of that length more, at a step of a region. */
export function added(notes, pitch, start, length, regions) {
  const [, to] = regionOf(regions, start);
  return put(notes, [clamp(pitch, LOWEST, HIGHEST), start, Math.min(start + length, to)]);
}

/**
 * A note more, as long as there is room, behind the one at `index`; where there is none, that
 * one is divided. Null if it is too short.
 */
export function addedAfter(notes, index, regions) {
  const [pitch, start, end] = notes[index];
  const [, to] = regionOf(regions, start);
  const next = notes[index + 1]?.[1] ?? to;
  const room = Math.min(next, to) - end;
  if (room > 0) return put(notes, [pitch, end, end + Math.min(room, end - start)]);
  if (end - start < 2) return null;
  return put(notes, [pitch, start + Math.ceil((end - start) / 2), end]);
}

export const areEqual = (one, two) => JSON.stringify(one) === JSON.stringify(two);

/** A note of a view in words. */
export function words([pitch, start, end], view) {
  const { beats = 4 } = view.sections[0];
  const width = perBar(view);
  const name = `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
  const bar = Math.floor(start / width) + 1;
  const beat = Number((((start % width) * beats) / width + 1).toFixed(2));
  const step = view.step || "sixteenth";
  const one = step === "eighth" ? "an eighth" : `a ${step}`;
  const length = end - start === 1 ? one : `${end - start} ${step}s`;
  return `${name}, bar ${bar}, beat ${beat}, ${length} long`;
}
