// One player for everything on the page; the cursor of what is heard moves with it.

import { moveCursor, perBar, secondsAt, stepAt } from "./roll.js";

const audio = document.getElementById("audio");
const title = document.getElementById("playing");
const MOST_SOUNDS = 8; // of some ten megabytes each
const sounds = new Map(); // by view, the latest last
let current = null; // { view, places, url }
let region = null; // { view, from, to } in steps, what is looped
let latest = 0;

function follow() {
  if (!current) return;
  const { view } = current;
  if (region?.view === view && !audio.paused) {
    const end = Math.min(secondsAt(view, region.to), audio.duration || Infinity);
    if (audio.currentTime >= end - 0.01) audio.currentTime = secondsAt(view, region.from);
  }
  moveCursor(current.places(), view, audio.currentTime);
  if (!audio.paused && !audio.ended) requestAnimationFrame(follow);
}

for (const event of ["play", "seeked", "pause", "loadeddata", "timeupdate"]) {
  audio.addEventListener(event, follow);
}

async function soundOf(view, fetchSound, variant) {
  const kept = sounds.get(view);
  const known = kept?.variant === variant ? kept : { variant, sound: await fetchSound() };
  sounds.delete(view);
  sounds.set(view, known);
  if (sounds.size > MOST_SOUNDS) sounds.delete(sounds.keys().next().value);
  return known.sound;
}

/**
 * Loads sound, and plays it from a step if `start`.
 *
 * `places` gives the rolls that show it; `fetchSound` gives the sound, as a blob, which is asked
 * for again if another `variant` of it is wanted.
 */
export async function load(words, view, places, fetchSound, start, from = 0, variant = "") {
  const number = (latest += 1);
  if (current) {
    audio.pause();
    moveCursor(current.places(), current.view, null);
    URL.revokeObjectURL(current.url);
    current = null;
  }
  title.textContent = `${words}: the sound is being made…`;
  audio.removeAttribute("src");
  audio.load(); // or the sound before it could still be played
  const sound = await soundOf(view, fetchSound, variant);
  if (number !== latest) return; // something else was asked for meanwhile
  const url = URL.createObjectURL(sound);
  current = { view, places, url };
  audio.src = url;
  audio.loop = Boolean(view.loops);
  if (from) audio.currentTime = secondsAt(view, from);
  title.textContent = words;
  if (start) await audio.play();
}

/** Says why there is no sound. */
export function fail(words) {
  title.textContent = words;
}

/** Goes to a share of what is loaded, if that is `view`. */
export function seek(view, share) {
  if (isLoaded(view)) audio.currentTime = secondsAt(view, share * view.bars * perBar(view));
}

/** Goes some bars on, or back. */
export function skip(bars) {
  if (!current) return;
  const { view } = current;
  const bar = Math.floor(stepAt(view, audio.currentTime) / perBar(view) + 1e-6) + bars;
  audio.currentTime = secondsAt(view, perBar(view) * Math.min(Math.max(bar, 0), view.bars));
}

/** The step that is heard, or 0. */
export const step = () => (current ? stepAt(current.view, audio.currentTime) : 0);

/** Plays the bars `from` to `to` of a view again and again, counted from 1; null: no more. */
export function loop(view, bars) {
  const width = perBar(view);
  region = bars && { view, from: (bars.from - 1) * width, to: bars.to * width };
  if (region && isLoaded(view)) {
    const now = step();
    if (now < region.from || now >= region.to) audio.currentTime = secondsAt(view, region.from);
  }
}

/** Calls `hear` with whether something plays, whenever that changes, and what is loaded. */
export function onChange(hear) {
  const tell = () => hear(isPlaying(), current?.view);
  for (const event of ["play", "pause", "ended", "emptied"]) audio.addEventListener(event, tell);
}

/** The view of what is loaded, or undefined. */
export const heard = () => current?.view;

export const isPlaying = () => !audio.paused && !audio.ended;

/** Whether `view` is loaded. */
export const isLoaded = (view) => Boolean(current) && current.view === view;

export function toggle() {
  if (!current) return;
  if (audio.paused) audio.play();
  else audio.pause();
}
