// The tracks of a file on their own roll: which of them is the melody, and where bars begin.

import { drawTrack } from "./roll.js";

/** How long a bar of the melody lasts, in quarter notes. */
const barOf = (song) => song.bar_quarters || 4;

function words(track) {
  const name = document.createElement("span");
  name.className = "words";
  const title = document.createElement("b");
  title.textContent = track.name || `Track ${track.number}`;
  const facts = document.createElement("small");
  const many = track.count === 1 ? "note" : "notes";
  const melody = track.is_melody ? "the melody · " : "";
  facts.textContent = `${melody}${track.instrument} · ${track.count} ${many}`;
  name.append(title, facts);
  return name;
}

function row(track, song, choose) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "track";
  button.setAttribute("aria-pressed", String(track.is_melody));
  button.disabled = track.is_drum;
  const roll = document.createElement("span");
  roll.className = "roll";
  drawTrack(roll, track, song);
  button.append(words(track), roll);
  button.addEventListener("click", () => track.is_melody || choose({ track: String(track.number) }));
  return button;
}

/** The strip above the tracks, which is clicked where a bar is to begin. */
function ruler(song, choose) {
  const strip = document.createElement("div");
  strip.className = "ruler";
  const roll = document.createElement("div");
  roll.className = "roll";
  drawTrack(roll, { notes: [] }, song);
  roll.addEventListener("click", (event) => {
    const box = roll.getBoundingClientRect();
    const beat = (song.quarters * (event.clientX - box.left)) / box.width;
    const nearest = song.bar_one + Math.round(beat - song.bar_one);
    const first = ((song.bar_one % 1) + 1) % 1; // no bar begins before the file
    choose({ bar_one: String(Math.max(nearest, first)) });
  });
  strip.append(document.createElement("span"), roll);
  return strip;
}

/**
 * Draws the tracks of `input` into its card; `choose` is given what the user tells of the file.
 *
 * What was made from nothing has no file, and no choice; neither has what is all of its file.
 */
export function draw(card, input, choose) {
  const place = card.querySelector("details.song");
  const { song, reading, file } = input;
  place.hidden = !file || !song;
  if (place.hidden) return;
  const number = place.querySelector(".bar-one");
  number.value = reading.bar_one ?? ((song.bar_one % barOf(song)) + barOf(song)) % barOf(song);
  number.onchange = () => {
    if (number.value !== "" && !number.validity.badInput) choose({ bar_one: number.value });
  };
  const found = place.querySelector(".as-found");
  found.disabled = !("track" in reading || "bar_one" in reading);
  found.onclick = () => choose(null);
  const tracks = place.querySelector(".tracks");
  const focused = tracks.contains(document.activeElement);
  tracks.replaceChildren(
    ruler(song, choose),
    ...song.tracks.map((track) => row(track, song, choose)),
  );
  tracks.style.setProperty("--bars", song.quarters / barOf(song));
  if (focused) tracks.querySelector("[aria-pressed=true]")?.focus();
}
