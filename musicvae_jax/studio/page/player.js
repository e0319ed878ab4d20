// One player for everything on the page; the cursor of what is heard moves with it.

import { moveCursor, secondsAt } from "./roll.js";

const audio = document.getElementById("audio");
const title = document.getElementById("playing");
let current = null; // { view, places, url }
let latest = 0;

function follow() {
  if (!current) return;
  moveCursor(current.places(), current.view, audio.currentTime);
  if (!audio.paused && !audio.ended) requestAnimationFrame(follow);
}

for (const event of ["play", "seeked", "pause", "loadeddata"]) audio.addEventListener(event, follow);

/**
 * Loads sound, and plays it if `start`.
 *
 * `places` gives the rolls that show it; `fetchSound` gives the sound, as a blob.
 */
export async function load(words, view, places, fetchSound, start) {
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
  const sound = await fetchSound();
  if (number !== latest) return; // something else was asked for meanwhile
  const url = URL.createObjectURL(sound);
  current = { view, places, url };
  audio.src = url;
  audio.loop = Boolean(view.loops);
  title.textContent = words;
  if (start) await audio.play();
}

/** Says why there is no sound. */
export function fail(words) {
  title.textContent = words;
}

/** Goes to a share of what is loaded, if that is `view`. */
export function seek(view, share) {
  if (current && current.view === view) audio.currentTime = secondsAt(view, share * view.bars * 16);
}

/** Calls `hear` with whether something plays, whenever that changes, and what is loaded. */
export function onChange(hear) {
  const tell = () => hear(!audio.paused && !audio.ended, current?.view);
  for (const event of ["play", "pause", "ended", "emptied"]) audio.addEventListener(event, tell);
}

/** Whether `view` is loaded. */
export const isLoaded = (view) => Boolean(current) && current.view === view;

export function toggle() {
  if (audio.paused) audio.play();
  else audio.pause();
}
