// Melodies A and B: chosen, dropped, drawn by lot; seen and heard.

import { getBlob, getJson, listen, Problem, readMusic, work } from "./api.js";
import * as player from "./player.js";
import { drawRoll } from "./roll.js";

const MOST_BYTES = JSON.parse(document.body.dataset.mostBytes); // by the suffix of a file
const places = [...document.querySelectorAll(".melody")];
const chosen = [null, null];
const hearers = [];

/** Calls `hear` whenever a melody was chosen. */
export const onChoice = (hear) => hearers.push(hear);

/** The first `count` melodies, as the studio takes them. */
export function inputs(count) {
  const taken = chosen.slice(0, count);
  const missing = taken.indexOf(null);
  if (missing >= 0) throw new Problem(`Choose melody ${"AB"[missing]} first.`);
  return taken.map(({ name, melody }) => ({ name, melody }));
}

/** Those of A and B that are chosen, with their sides. */
export const known = () =>
  chosen.flatMap((input, side) =>
    input ? [{ side, name: input.name, melody: input.melody }] : [],
  );

/** Lines of command that make the inputs, for those that were drawn. */
export const preparations = (count) =>
  [...new Set(chosen.slice(0, count).map((input) => input?.command))].filter(Boolean);

function show(side) {
  const place = places[side];
  const input = chosen[side];
  const { view } = input;
  const roll = place.querySelector(".roll");
  drawRoll(roll, view, `${input.name}: ${view.notes.length} notes in ${view.bars} bars`, side);
  place.querySelector(".name").textContent = input.name;
  place.querySelector(".facts").textContent =
    `${view.bars} bars · ${input.key} · ${input.tempo_bpm} bpm · ${view.notes.length} notes`;
  place.querySelector(".explanation").textContent = input.explanation.join("\n");
  place.querySelector(".play").disabled = false;
}

/** Makes what `give` returns melody A (0) or B (1); tells of what went wrong beside it. */
async function choose(side, give) {
  const place = places[side];
  const problem = place.querySelector(".problem");
  problem.textContent = "";
  place.setAttribute("aria-busy", "true");
  try {
    chosen[side] = await give();
    show(side);
    hearers.forEach((hear) => hear());
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    problem.textContent = error.message;
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/** Takes the MIDI file of a result as melody A (0) or B (1). */
export const use = (side, path, name, command) =>
  choose(side, async () => ({ ...(await readMusic(await getBlob(path), name)), command }));

const takeExample = (side, name) =>
  choose(side, () => getJson(`/api/example/${encodeURIComponent(name)}`));

function takeFile(side, file) {
  places[side].querySelector(".example").value = "";
  return choose(side, () => {
    const suffix = /\.[^.]*$/.exec(file.name.toLowerCase())?.[0];
    const most = MOST_BYTES[suffix] ?? MOST_BYTES[".mid"];
    if (file.size > most) {
      throw new Problem(`${file.name}: larger than ${most >> 20} MiB, which no song is`);
    }
    return readMusic(file, file.name);
  });
}

async function surprise(side) {
  places[side].querySelector(".example").value = "";
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
  const { name, melody, view } = chosen[side];
  if (player.isLoaded(view)) return player.toggle();
  const roll = places[side].querySelector(".roll");
  const sound = () => listen({ name, melody });
  try {
    await player.load(`Melody ${"AB"[side]}, ${name}`, view, () => [roll], sound, true);
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
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    if (event.dataTransfer.files.length) takeFile(side, event.dataTransfer.files[0]);
  });
});

/** Begins with the shipped examples, so that there is something to hear at once. */
export function begin() {
  places.forEach((place, side) => {
    const example = place.querySelector(".example");
    const name = example.options[side + 1]?.value;
    if (name) {
      example.value = name;
      takeExample(side, name);
    }
  });
}
