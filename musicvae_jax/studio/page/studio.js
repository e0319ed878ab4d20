// The page: its tabs, its forms, and the work that they ask for.

import { getJson, Problem, work } from "./api.js";
import * as map from "./map.js";
import * as melodies from "./melodies.js";
import * as result from "./result.js";

const byId = (id) => document.getElementById(id);
const INPUTS = { interpolate: 2, generate: 0, reconstruct: 2, complete: 1 };
const tabs = [...document.querySelectorAll("[role=tab]")];
let abort = null;

function texts(form) {
  const result = {};
  for (const control of form.querySelectorAll("[data-flag]")) {
    const name = control.dataset.flag;
    if (control.matches("fieldset")) {
      const boxes = [...control.querySelectorAll("input")];
      const ticked = boxes.filter((box) => box.checked).map((box) => box.value);
      if (!ticked.length) throw new Problem("Tick a strategy.");
      result[name] = ticked.length === boxes.length ? "all" : ticked.join();
    } else if (control.type === "checkbox") {
      result[name] = String(control.checked);
    } else if (control.validity.badInput) {
      throw new Problem(`--${name}: not a number`);
    } else {
      result[name] = control.value;
    }
  }
  return result;
}

function hear(event) {
  if ("ahead" in event) {
    const others = event.ahead === 1 ? "one request is" : `${event.ahead} requests are`;
    byId("doing").textContent = `Waiting: ${others} before this one.`;
    return;
  }
  byId("progress").value = event.done / event.total;
  const compiles = event.compiles ? ", for the first time so; this takes some seconds" : "";
  byId("doing").textContent = `${event.doing} (${event.done + 1} of ${event.total})${compiles}`;
}

/** Does work, with its progress and its problems told; `content` gives what to ask. */
async function run(path, content, done) {
  abort?.abort();
  const mine = (abort = new AbortController());
  byId("problem").textContent = "";
  byId("progress").removeAttribute("value");
  byId("doing").textContent = "Asking the model…";
  byId("cancel").disabled = false;
  const begin = performance.now();
  try {
    const made = await work(path, content(), hear, mine.signal);
    done(made);
    const seconds = (performance.now() - begin) / 1000;
    byId("doing").textContent = `Done in ${seconds.toFixed(2)} s.`;
    byId("doing").dataset.seconds = seconds;
  } catch (error) {
    if (mine !== abort) return;
    byId("doing").textContent = error.name === "AbortError" ? "Cancelled." : "";
    if (error.name === "AbortError") return;
    byId("problem").textContent =
      error instanceof Problem ? error.message : "This page failed; please reload it.";
    if (!(error instanceof Problem)) throw error;
  } finally {
    if (mine === abort) {
      byId("progress").value = mine.signal.aborted ? 0 : 1;
      byId("cancel").disabled = true;
    }
  }
}

for (const form of document.querySelectorAll("form")) {
  const { mode } = form.dataset;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const content = () => ({ mode, options: texts(form), inputs: melodies.inputs(INPUTS[mode]) });
    run("/api/make", content, (made) =>
      result.show(made, [...melodies.preparations(INPUTS[mode]), made.command], false),
    );
  });
}

byId("cancel").addEventListener("click", () => abort?.abort());

const askMap = (content) => run("/api/map", () => content, (made) => result.show(made, [], true));

async function drawMap() {
  try {
    await map.draw(askMap);
  } catch (error) {
    byId("problem").textContent = error.message;
  }
}

function choose(tab) {
  for (const other of tabs) {
    const isChosen = other === tab;
    other.setAttribute("aria-selected", String(isChosen));
    other.tabIndex = isChosen ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !isChosen;
  }
  byId("problem").textContent = "";
  if (tab.dataset.mode === "map") drawMap();
}

tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const last = tabs.length - 1;
    const next = {
      ArrowRight: index === last ? 0 : index + 1,
      ArrowLeft: index === 0 ? last : index - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(tabs[next]);
    tabs[next].focus();
  });
});

/** Tells of the warm-up until it is over. */
async function watch() {
  for (;;) {
    let wait = 500;
    try {
      const status = await getJson("/api/status");
      byId("warmth").value = status.done / status.total;
      byId("status").textContent = status.ready
        ? `Ready · ${status.bars} bars, step ${status.step}`
        : `Warming up, ${status.done} of ${status.total}…`;
      document.body.dataset.ready = status.ready;
      if (status.ready) return;
    } catch (error) {
      byId("status").textContent = error.message;
      wait = 3000;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

map.begin(askMap);
melodies.onChoice(() => byId("tab-map").getAttribute("aria-selected") === "true" && drawMap());
melodies.begin();
watch();
