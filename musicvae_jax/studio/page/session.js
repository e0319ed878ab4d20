// A session as a file: melodies, options, and all that was made.

import { Problem } from "./api.js";
import * as chain from "./chain.js";
import * as history from "./history.js";
import * as melodies from "./melodies.js";
import { lasting } from "./remake.js";
import * as ways from "./ways.js";
import { NOUN } from "./words.js";

const VERSION = 1;
const PATHS = ["/api/make", "/api/map"]; // that results come from
const controls = (form) => [...form.querySelectorAll("[data-flag]")];

function fields() {
  const told = {};
  for (const form of document.querySelectorAll("form[data-mode]")) {
    told[form.dataset.mode] = Object.fromEntries(
      controls(form).map((c) => [c.dataset.flag, c.type === "checkbox" ? String(c.checked) : c.value]),
    );
  }
  return told;
}

function setFields(told) {
  for (const form of document.querySelectorAll("form[data-mode]")) {
    const texts = told[form.dataset.mode] || {};
    for (const control of controls(form)) {
      const text = texts[control.dataset.flag];
      if (typeof text !== "string") continue;
      if (control.type === "checkbox") control.checked = text === "true";
      else control.value = text;
    }
  }
}

/** Downloads the session. */
export function save() {
  const told = {
    studio: VERSION,
    noun: NOUN,
    melodies: melodies.all(),
    bridges: chain.lengths(),
    strategies: ways.strategies(),
    fields: fields(),
    results: history.entries.map(lasting),
  };
  // A file is there once, however many results were made of it.
  const files = [];
  const text = JSON.stringify(told, (key, value) => {
    if (key !== "file" || typeof value !== "string") return value;
    if (!files.includes(value)) files.push(value);
    return files.indexOf(value);
  });
  const whole = JSON.stringify({ ...JSON.parse(text), files });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([whole], { type: "application/json" }));
  link.download = "session.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/**
 * Brings a session back. What was made is shown from the file, and made again when it is needed.
 *
 * Throws a `Problem` if the file is no session.
 */
export async function open(file) {
  let told;
  try {
    const text = await file.text();
    const { studio, files, noun = "melody" } = JSON.parse(text);
    if (studio !== VERSION || noun !== NOUN) throw new Error("not a session of this studio");
    told = JSON.parse(text, (key, value) =>
      key === "file" && typeof value === "number" ? files[value] : value,
    );
    for (const { path, content, made, commands, kept } of told.results) {
      const isWhole = content && made.items.length && commands.map && kept.map;
      if (!isWhole || !PATHS.includes(path)) throw new Error("not a result");
    }
  } catch {
    throw new Problem(`${file.name}: not a session file of the studio`);
  }
  ways.choose(told.strategies);
  setFields(told.fields);
  melodies.restore(told.melodies, told.bridges);
  history.restore(told.results);
}
