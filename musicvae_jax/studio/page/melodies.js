// Melodies A, B and further ones: chosen, dropped, drawn by lot; seen and heard.

import { fileOf, getBlob, getJson, listen, Problem, readMusic, work } from "./api.js";
import * as chain from "./chain.js";
import * as corrections from "./corrections.js";
import * as keyboard from "./keyboard.js";
import * as microphone from "./microphone.js";
import * as player from "./player.js";
import { contents, drawRoll, unitOf } from "./roll.js";
import * as tracks from "./tracks.js";
import { begun, named } from "./words.js";

const MOST_BYTES = JSON.parse(document.body.dataset.mostBytes); // by the suffix of a file
const places = [...document.querySelectorAll(".melody")];
const begins = document.getElementById("begin");
const chosen = places.map(() => null);
const turns = places.map(() => 0); // how often each was chosen
const hearers = [];

// What one can play on: its button, what records it, and why it may not be there.
const DEVICES = [
  [".record", microphone, "This browser does not let a page from this address record."],
  [".keys", keyboard, "This browser knows of no MIDI instruments."],
];
const HINT = places[0].querySelector(".facts").textContent;

/** Calls `hear` whenever a melody was chosen, with 0 for A, 1 for B and so on. */
export const onChoice = (hear) => hearers.push(hear);

/** The first `count` melodies, as the studio takes them, with their files if songs are played. */
export function inputs(count, withFiles = false) {
  const taken = chosen.slice(0, count);
  const missing = taken.indexOf(null);
  if (missing >= 0) throw new Problem(`Choose ${named(missing)} first.`);
  return taken.map(({ name, melody, reading, file }) => ({
    ...{ name, melody, reading },
    ...(withFiles && { file }),
  }));
}

/** Melody A (0), B (1) and so on, or null. */
export const at = (side) => chosen[side];

/** All of them, in their order. */
export const all = () => chosen.slice(0, chain.count());

/** Those that are chosen, with their sides. */
export const known = () =>
  chosen.flatMap((input, side) =>
    input ? [{ side, name: input.name, melody: input.melody }] : [],
  );

/** Lines of command that make the inputs, for those that were drawn. */
export const preparations = (count) =>
  [...new Set(chosen.slice(0, count).map((input) => input?.command))].filter(Boolean);

/** The first steps are hidden once both melodies are there, or on their way. */
function hideBeginning() {
  const shown = places.slice(0, chain.count());
  begins.hidden = shown.every((place, side) => chosen[side] || place.hasAttribute("aria-busy"));
}

function show(side) {
  const place = places[side];
  const input = chosen[side];
  const { view } = input;
  const roll = place.querySelector(".roll");
  if (!corrections.show(side, input)) {
    drawRoll(roll, view, `${input.name}: ${contents(view)}`, side % 2);
  }
  const example = place.querySelector(".example");
  example.value = [...example.options].some(({ value }) => value === input.name) ? input.name : "";
  place.querySelector(".name").textContent = input.name;
  const meter = view.grid && view.grid !== "4/4" ? ` in ${view.grid}` : "";
  const facts = [`${view.bars} bars${meter}`, input.key, `${input.tempo_bpm} bpm`];
  facts.push(`${view.notes.length} ${unitOf(view)}`, ...song(input));
  place.querySelector(":scope > .facts").textContent = facts.filter(Boolean).join(" · ");
  place.querySelector(".explanation").textContent = input.explanation.join("\n");
  tracks.draw(place, input, (told) => reread(side, told));
  place.classList.add("known");
  for (const button of place.querySelectorAll(".play, .edit")) button.disabled = false;
}

/** Shows that there is no melody. */
function clear(side) {
  const place = places[side];
  place.querySelector(".roll").replaceChildren();
  for (const name of [".name", ".problem"]) place.querySelector(name).textContent = "";
  place.querySelector(":scope > .facts").textContent = HINT;
  place.querySelector(".example").value = "";
  place.querySelectorAll(".get").forEach((link) => (link.hidden = true));
  place.classList.remove("known");
  for (const button of place.querySelectorAll(".play, .edit")) button.disabled = true;
}

/** Moves a melody to another place; those between make room. With null it is removed. */
async function move(from, to) {
  await corrections.settled();
  places.forEach((_, side) => corrections.stop(side));
  const before = [...chosen];
  const [input] = chosen.splice(from, 1);
  if (to === null) chosen.push(null);
  else chosen.splice(to, 0, input);
  places.forEach((_, side) => {
    if (chosen[side] === before[side]) return;
    turns[side] += 1; // what is still being read does not come here
    places[side].removeAttribute("aria-busy");
    places[side].querySelector(".problem").textContent = "";
    if (chosen[side]) show(side);
    else clear(side);
    hearers.forEach((hear) => hear(side));
  });
  hideBeginning();
}

function song(input) {
  if (!input.song) return []; // it is not a line among others
  if (input.file === null) return ["too large to be played whole: only the melody is"];
  const count = input.file ? input.song.tracks.length : 0;
  return count > 1 ? [`of ${count} tracks`] : [];
}

/** Reads the file of a melody again with what the user tells of it; with null, as it was found. */
function reread(side, told) {
  const input = chosen[side];
  const reading = told && { ...input.reading, ...told };
  return choose(side, async () => ({
    ...(await readMusic(fileOf(input), input.name, reading || {})),
    command: input.command,
  }));
}

/** Makes what `give` returns a melody; tells of what went wrong beside it. */
async function choose(side, give, isCorrected = false) {
  const place = places[side];
  if (!isCorrected) corrections.stop(side);
  const problem = place.querySelector(".problem");
  problem.textContent = "";
  place.setAttribute("aria-busy", "true");
  // At once, or what is below would move while it is used.
  hideBeginning();
  const turn = (turns[side] += 1);
  try {
    const input = await give();
    if (turn !== turns[side]) return; // another one was chosen meanwhile
    chosen[side] = input;
    show(side);
    hearers.forEach((hear) => hear(side));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem.textContent = error.message;
  } finally {
    if (turn === turns[side]) place.removeAttribute("aria-busy");
    hideBeginning();
  }
}

/** The melody in the MIDI file of a result. */
export const ofResult = async (path, name, command) => ({
  ...(await readMusic(await getBlob(path), name)),
  command,
});

/** Takes what `give` makes as melody A (0) or B (1). */
export const use = (side, give) => choose(side, give);

/** Takes the melodies of a session, and the lengths of their bridges. */
export function restore(inputs, lengths = []) {
  chain.set(inputs.length, lengths);
  inputs.forEach((input, side) => input?.view && choose(side, async () => input));
}

const takeExample = (side, name) =>
  choose(side, () => getJson(`/api/example/${encodeURIComponent(name)}`));

function takeFile(side, file) {
  return choose(side, () => {
    const suffix = /\.[^.]*$/.exec(file.name.toLowerCase())?.[0];
    const most = MOST_BYTES[suffix] ?? MOST_BYTES[".mid"];
    if (file.size > most) {
      throw new Problem(`${file.name}: larger than ${most >> 20} MiB, which no song is`);
    }
    return readMusic(file, file.name);
  });
}

/** Begins to record a melody with what `button` stands for, or ends it and has it heard. */
async function record(side, button, device) {
  if (device.isRecording()) return device.stop();
  const others = [...document.querySelectorAll(".record, .keys")].filter(
    (one) => one !== button && !one.disabled,
  );
  const [text, label] = [button.textContent, button.getAttribute("aria-label")];
  const tell = (seconds) => {
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    button.textContent = `Stop ${clock}`;
  };
  places[side].querySelector(".problem").textContent = "";
  others.forEach((one) => (one.disabled = true));
  button.setAttribute("aria-label", `Stop recording ${named(side)}`);
  try {
    const file = await device.record(tell);
    button.textContent = text;
    await takeFile(side, file);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    places[side].querySelector(".problem").textContent = error.message;
  } finally {
    button.textContent = text;
    button.setAttribute("aria-label", label);
    others.forEach((one) => (one.disabled = false));
  }
}

async function surprise(side) {
  await choose(side, async () => {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] % 1e6;
    const options = { num: "1", seed: String(seed) };
    const made = await work("/api/make", { mode: "generate", options, inputs: [] }, () => {});
    const midi = await getBlob(`/api/result/${made.id}/0.mid`);
    const read = await readMusic(midi, `surprise_${seed}/generate_00.mid`);
    return { ...read, command: `${made.command} --output=surprise_${seed}` };
  });
}

async function play(side) {
  await corrections.settled();
  const { name, melody, view } = chosen[side];
  if (player.isLoaded(view)) return player.toggle();
  const roll = places[side].querySelector(".roll");
  const sound = () => listen({ name, melody });
  try {
    await player.load(`${begun(named(side))}, ${name}`, view, () => [roll], sound, true);
  } catch (error) {
    player.fail(error.message);
  }
}

places.forEach((place, side) => {
  const file = place.querySelector("input[type=file]");
  file.addEventListener("change", () => {
    if (file.files.length) takeFile(side, file.files[0]);
    file.value = ""; // so that the same file can be chosen again
  });
  const example = place.querySelector(".example");
  example.addEventListener("change", () => example.value && takeExample(side, example.value));
  place.querySelector(".surprise").addEventListener("click", () => surprise(side));
  place.querySelector(".play").addEventListener("click", () => play(side));
  corrections.begin(side, place, {
    at: () => chosen[side],
    take: (give) => choose(side, give, true),
    redraw: () => show(side),
  });
  for (const [name, device, why] of DEVICES) {
    const button = place.querySelector(name);
    if (!button) continue; // no such music is played in
    if (!device.canRecord()) {
      button.disabled = true; // not hidden, or the page would move
      button.title ||= why;
    }
    button.addEventListener("click", () => record(side, button, device));
  }
});

/** Takes the shipped examples, so that there is something to hear at once. */
export function takeExamples() {
  return Promise.all(
    places.slice(0, 2).map((place, side) => {
      const example = place.querySelector(".example");
      const name = example.options[side + 1]?.value;
      if (!name) return null;
      return takeExample(side, name);
    }),
  );
}

/** Where a file falls: on the card that it is above, or else on the left or right one of two. */
function sideOf(event) {
  const card = event.target.closest?.(".melody");
  if (card) return Number(card.dataset.side);
  const half = Number(event.clientX > innerWidth / 2);
  const free = all().indexOf(null);
  return chain.count() === 2 ? half : free < 0 ? chain.count() - 1 : free;
}

/** Takes files that are dropped anywhere: several as A, B and so on. */
export function begin(takeSession) {
  const drop = document.getElementById("drop");
  const hasFiles = (event) => event.dataTransfer.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.hidden = false;
    drop.dataset.side = sideOf(event) % 2;
    drop.textContent = begun(named(sideOf(event)));
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drop.hidden = true;
    const files = [...event.dataTransfer.files].slice(0, places.length);
    if (files[0]?.name.toLowerCase().endsWith(".json")) takeSession(files[0]);
    else if (files.length > 1) {
      chain.set(Math.max(files.length, chain.count()));
      files.forEach((file, side) => takeFile(side, file));
    } else if (files.length) takeFile(sideOf(event), files[0]);
  });
}

chain.begin(places, move);
