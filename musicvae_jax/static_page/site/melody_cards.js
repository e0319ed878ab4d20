// Melodies A and B: where they come from, and what is seen of them.

import { barsOf } from "./notes.js";
import { FileProblem, melodyOf, readSong } from "./midi_read.js";
import { single, viewOf } from "./piece.js";
import * as player from "./player.js";
import { drawRoll } from "./roll.js";
import { soundOf } from "./sound.js";
import * as tracks from "./tracks.js";

const MOST_BYTES = 2 << 20;
const cards = [...document.querySelectorAll(".melody")];
const chosen = [null, null]; // { name, melody, piece, view }, and of a file { song, reading, file }
const hearers = [];
let facts = null;
let isReady = false;

/** Calls `hear` whenever a melody was chosen. */
export const onChoice = (hear) => hearers.push(hear);

/** Melodies A and B, each null as long as there is none. */
export const melodies = () => chosen.map((one) => one && { name: one.name, ...one.melody });

/** Tells of what went wrong with a melody, beside it. */
export function fail(side, words) {
  cards[side].querySelector(".problem").textContent = words;
}

/** Makes a melody A (0) or B (1). */
export function choose(side, name, melody, more = {}) {
  const piece = single(melody, side);
  const view = viewOf(piece);
  chosen[side] = { name, melody, piece, view, ...more };
  const card = cards[side];
  fail(side, "");
  card.classList.add("known");
  card.querySelector(".name").textContent = name;
  card.querySelector(".play").disabled = false;
  const letter = "AB"[side];
  drawRoll(card.querySelector(".roll"), view, `Melody ${letter}: ${view.notes.length} notes`, side);
  const facts = `${barsOf(melody)} bars · ${melody.tempo_bpm} bpm · ${view.notes.length} notes`;
  card.querySelector(".facts").textContent = facts;
  tracks.draw(card, { reading: {}, ...chosen[side] }, (told) => reread(side, told));
  document.getElementById("begin").hidden = chosen.every(Boolean);
  enable(card, side);
  hearers.forEach((hear) => hear());
}

/** The tracks of a song as `tracks.js` shows them. */
const seen = (song, { track, origin }) => ({
  quarters: song.quarters,
  bar_one: origin,
  tracks: song.tracks.map((one) => ({
    ...one,
    count: one.notes.length,
    is_melody: one.number === track,
    instrument: one.is_drum ? "drums" : facts.instruments[one.program],
  })),
});

function take(side, name, song, reading) {
  try {
    const found = melodyOf(song, reading, facts.reading);
    choose(side, name, found.melody, { song: seen(song, found), reading, file: song });
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    fail(side, `${name}: ${error.message}`);
  }
}

/** Reads the melody of a file again with what the user tells of it; with null, as it was found. */
function reread(side, told) {
  const { name, file, reading } = chosen[side];
  take(side, name, file, told ? { ...reading, ...told } : {});
}

/** Takes the melody in a file. */
export async function takeFile(side, file) {
  cards[side].querySelector(".example").value = "";
  if (file.size > MOST_BYTES) return fail(side, `${file.name}: larger than 2 MiB, which no song is`);
  let song;
  try {
    song = readSong(new Uint8Array(await file.arrayBuffer()));
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return fail(side, `${file.name}: ${error.message}`);
  }
  take(side, file.name, song, {});
}

async function play(side) {
  const { name, piece, view } = chosen[side];
  if (player.isLoaded(view)) return player.toggle();
  const roll = cards[side].querySelector(".roll");
  await player.load(`Melody ${"AB"[side]}, ${name}`, view, () => [roll], () => soundOf(piece), true);
}

function fill(card, side) {
  const letter = "AB"[side];
  card.append(document.getElementById("melody").content.cloneNode(true));
  card.querySelector("h2").id = `melody-${letter}`;
  card.querySelector(".letter").textContent = `Melody ${letter}`;
  card.querySelector(".dot").classList.add(`dot-${letter.toLowerCase()}`);
  const names = {
    ".play": `Play melody ${letter}`,
    "input[type=file]": `MIDI file for melody ${letter}`,
    ".example": `Example for melody ${letter}`,
    ".surprise": `Surprise me with melody ${letter}`,
    ".continue": `Continue melody ${letter}`,
    ".small": `Piano roll of melody ${letter}`,
    ".song .scroll": `Tracks of melody ${letter}`,
  };
  for (const [selector, name] of Object.entries(names)) {
    card.querySelector(selector).setAttribute("aria-label", name);
  }
  const file = card.querySelector("input[type=file]");
  file.addEventListener("change", () => {
    if (file.files.length) takeFile(side, file.files[0]);
    file.value = ""; // so that the same file can be chosen again
  });
  card.querySelector(".play").addEventListener("click", () => play(side));
}

function takeDrops() {
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    const files = [...event.dataTransfer.files].slice(0, 2);
    const half = Number(event.clientX > innerWidth / 2);
    const one = event.target.closest?.(".melody")?.dataset.side ?? half;
    files.forEach((file, index) => takeFile(files.length > 1 ? index : Number(one), file));
  });
}

/** Makes what `give` returns a melody, and shows that it is waited for. */
async function wait(side, give) {
  const card = cards[side];
  card.setAttribute("aria-busy", "true");
  try {
    const { name, melody } = await give();
    card.querySelector(".example").value = "";
    choose(side, name, melody);
  } catch (error) {
    fail(side, error.message);
  } finally {
    card.removeAttribute("aria-busy");
  }
}

/**
 * Offers the examples, and what the model writes: `compose(seed)` makes a new melody, and
 * `goOn(melody)` continues one.
 */
export function begin(known, { compose, goOn }) {
  facts = known;
  cards.forEach((card, side) => {
    const example = card.querySelector(".example");
    for (const name of Object.keys(facts.examples)) {
      example.add(new Option(name.replaceAll("_", " "), name));
    }
    const takeExample = () =>
      example.value && choose(side, example.value, facts.examples[example.value]);
    example.addEventListener("change", takeExample);
    card.querySelector(".surprise").addEventListener("click", () => {
      const seed = crypto.getRandomValues(new Uint32Array(1))[0] % 1e6;
      wait(side, async () => ({ name: `new melody ${seed}`, melody: await compose(seed) }));
    });
    card.querySelector(".continue").addEventListener("click", () => {
      const { name, melody } = chosen[side];
      wait(side, async () => ({ name: `${name}, continued`, melody: await goOn(melody) }));
    });
    document.getElementById("examples").addEventListener("click", () => {
      example.selectedIndex = side + 1;
      takeExample();
    });
  });
}

/** The model can be asked from now on. */
export function canCompose() {
  isReady = true;
  cards.forEach(enable);
}

function enable(card, side) {
  card.querySelector(".surprise").disabled = !isReady;
  card.querySelector(".continue").disabled = !isReady || !chosen[side];
}

cards.forEach(fill);
takeDrops();
