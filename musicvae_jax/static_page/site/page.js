// The page: a form, the worker that makes what it asks for, and the result.

import { curve } from "./bridges.js";
import * as cards from "./melody_cards.js";
import { midiOf } from "./midi_write.js";
import { join } from "./notes.js";
import { splice, viewOf } from "./piece.js";
import * as player from "./player.js";
import { drawLabels, drawRoll } from "./roll.js";
import { soundOf } from "./sound.js";

const byId = (id) => document.getElementById(id);
byId("status").textContent = "Loading the model…";
const facts = await (await fetch("./model/facts.json")).json();
const engine = new Worker("./engine.js", { type: "module" });
const asked = new Map(); // by number: how the promise of a result is kept, or broken
let count = 0;
let isReady = false;
let made = null; // { piece, view }

/** Asks the worker for something by the name of its function. */
const ask = (name, ...told) =>
  new Promise((keep, fail) => {
    count += 1;
    asked.set(count, { keep, fail });
    engine.postMessage({ id: count, name, told });
  });

engine.onmessage = ({ data }) => {
  if ("id" in data) {
    const { keep, fail } = asked.get(data.id);
    asked.delete(data.id);
    if ("error" in data) fail(new Error(data.error));
    else keep(data.result);
  } else if ("total" in data) {
    byId("warmth").value = data.done / data.total;
  } else if ("failed" in data) {
    byId("status").textContent = `The model cannot be loaded: ${data.failed}`;
  } else {
    isReady = true;
    byId("warmth").hidden = true;
    byId("status").textContent = "Ready";
    document.body.dataset.ready = "true";
    cards.canCompose();
    enable();
  }
};

const enable = () => (byId("make").disabled = !isReady || cards.melodies().includes(null));

function showWays() {
  facts.ways.forEach(({ strategy, title, sentence }, index) => {
    const [way, words] = [document.createElement("label"), document.createElement("span")];
    const radio = Object.assign(document.createElement("input"), {
      ...{ type: "radio", name: "way", value: strategy, defaultChecked: !index },
    });
    const name = Object.assign(document.createElement("b"), { textContent: title });
    const told = Object.assign(document.createElement("small"), { textContent: sentence });
    words.append(name);
    if (!index) {
      const badge = { className: "badge", textContent: "recommended" };
      words.append(" ", Object.assign(document.createElement("i"), badge));
    }
    words.append(told);
    way.className = "way";
    way.append(radio, words);
    byId("ways").append(way);
  });
}

/** What the form says; throws an error in words if a number is not valid. */
function options() {
  const told = { strategy: document.querySelector("[name=way]:checked").value };
  for (const name of ["bars", "seed", "adherence", "temperature"]) {
    const field = byId(name);
    const is_valid = field.value !== "" && field.validity.valid;
    const limits = `a number from ${field.min} to ${field.max} is needed`;
    if (!is_valid) throw new Error(`${field.labels[0].textContent}: ${limits}`);
    told[name] = Number(field.value);
  }
  return told;
}

async function make() {
  byId("problem").textContent = "";
  byId("make").disabled = true;
  const begin = performance.now();
  try {
    const told = options();
    const [first, second] = cards.melodies();
    byId("doing").textContent = "Composing…";
    const bridge = await ask("bridge", first, second, told);
    const piece = splice(first, bridge, second, [first.name, second.name], curve(told.bars));
    const seconds = (performance.now() - begin) / 1000;
    byId("doing").textContent = `Done in ${seconds.toFixed(1)} s.`;
    byId("doing").dataset.seconds = seconds;
    const { title } = facts.ways.find(({ strategy }) => strategy === told.strategy);
    show(piece, title);
  } catch (error) {
    byId("doing").textContent = "";
    byId("problem").textContent = error.message;
  } finally {
    enable();
  }
}

function show(piece, title) {
  const view = viewOf(piece);
  made = { piece, view };
  byId("result").hidden = false;
  byId("another").hidden = false;
  byId("result-title").textContent = title;
  byId("result-facts").textContent = `${view.bars} bars · ${view.duration_sec.toFixed(0)} s`;
  byId("roll").closest(".stretch").style.setProperty("--bars", view.bars);
  drawLabels(byId("labels"), view);
  drawRoll(byId("roll"), view, `${title}: ${view.notes.length} notes in ${view.bars} bars`);
  URL.revokeObjectURL(byId("get-mid").href);
  const bytes = midiOf(piece, "transition", facts.instruments);
  byId("get-mid").href = URL.createObjectURL(new Blob([bytes], { type: "audio/midi" }));
  byId("result-title").focus({ preventScroll: true });
  byId("result").scrollIntoView({ block: "nearest" });
  load(false);
}

function load(start) {
  const { piece, view } = made;
  const words = byId("result-title").textContent;
  return player.load(words, view, () => [byId("roll")], () => soundOf(piece), start);
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  make();
});
byId("another").addEventListener("click", () => {
  byId("seed").value = Number(byId("seed").value) + 1;
  const isDrawn = document.querySelector("[name=way]:checked").value === "composed";
  // Without any freedom the likeliest bridge is found again, whatever the number.
  if (!isDrawn && !Number(byId("temperature").value)) byId("temperature").value = "0.5";
  make();
});
byId("play").addEventListener("click", () => {
  if (player.isLoaded(made.view)) player.toggle();
  else load(true);
});
byId("get-wav").addEventListener("click", async () => {
  const address = URL.createObjectURL(await soundOf(made.piece));
  Object.assign(document.createElement("a"), { href: address, download: "transition.wav" }).click();
  URL.revokeObjectURL(address);
});
byId("roll").addEventListener("click", (event) => {
  const box = byId("roll").getBoundingClientRect();
  player.seek(made.view, (event.clientX - box.left) / box.width);
});
player.onChange((plays, view) => {
  byId("play").textContent = plays && made && view === made.view ? "Pause" : "Play";
});
["a", "b"].forEach((letter, side) =>
  byId(`use-${letter}`).addEventListener("click", () =>
    cards.choose(side, "transition", join(made.piece.sections.map(({ melody }) => melody))),
  ),
);
showWays();
cards.onChoice(enable);
cards.begin(facts, {
  compose: (seed) => ask("newMelody", seed),
  goOn: (melody) => ask("continuation", melody, 0),
});
