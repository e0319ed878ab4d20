// The page: its tabs, its forms, and the work that they ask for.

import { getJson, Problem, work } from "./api.js";
import * as chain from "./chain.js";
import * as click from "./click.js";
import * as corrections from "./corrections.js";
import * as keys from "./keys.js";
import * as map from "./map.js";
import * as marks from "./marks.js";
import * as melodies from "./melodies.js";
import * as player from "./player.js";
import * as result from "./result.js";
import * as session from "./session.js";
import * as ways from "./ways.js";

const byId = (id) => document.getElementById(id);
const INPUTS = { generate: 0, reconstruct: 2, complete: 1 };
const tabs = [...document.querySelectorAll("[role=tab]")];
let abort = null;

function texts(form) {
  const told = {};
  for (const control of form.querySelectorAll("[data-flag]")) {
    const name = control.dataset.flag;
    if (control.type === "checkbox") {
      told[name] = String(control.checked);
    } else if (control.validity.badInput) {
      throw new Problem(`${control.labels[0].textContent.trim()}: not a number`);
    } else {
      told[name] = control.value;
    }
  }
  return told;
}

function hear(event) {
  if ("ahead" in event) {
    const others = event.ahead === 1 ? "one request is" : `${event.ahead} requests are`;
    byId("doing").textContent = `Waiting: ${others} before this one.`;
    return;
  }
  byId("progress").value = event.done / event.total;
  const compiles = event.compiles ? ", of this length for the first time; this takes a while" : "";
  const count = event.total > 1 ? ` (${event.done + 1} of ${event.total})` : "";
  const tab = byId(`tab-${event.doing}`);
  byId("doing").textContent = `${tab ? tab.textContent : event.doing}${count}${compiles}`;
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
    await corrections.settled();
    const asked = content();
    const made = await work(path, asked, hear, mine.signal);
    done(made, asked);
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

/** What a form asks for, and the commands that make its inputs. */
function request(mode, form) {
  const options = texts(form);
  if (mode === "vary") {
    const { input, keep_bars } = marks.asked();
    const { name, melody, reading, command } = input;
    const inputs = [{ name, melody, reading }];
    const content = { mode, options: { keep_bars, ...options }, inputs };
    return { content, before: [command].filter(Boolean) };
  }
  const count = mode === "interpolate" ? chain.count() : INPUTS[mode];
  const isSpliced = options.splice === "true" || count > 2;
  const isWhole = isSpliced && options.melody_only !== "true";
  const inputs = melodies.inputs(count, isWhole);
  if (mode === "interpolate") {
    options.strategy = ways.strategies();
    const usual = form.querySelector("[data-flag=bars]");
    options.bridge_bars = chain.bridgeBars(usual.value || usual.defaultValue);
  }
  return { content: { mode, options, inputs }, before: melodies.preparations(count) };
}

for (const form of document.querySelectorAll("form[data-mode]")) {
  const { mode } = form.dataset;
  const another = form.querySelector(".another");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    let before = [];
    const content = () => {
      const asked = request(mode, form);
      ({ before } = asked);
      return asked.content;
    };
    run("/api/make", content, (made, asked) => {
      result.add("/api/make", asked, made, [...before, made.command], false);
      another.hidden = mode === "reconstruct";
    });
  });
  another.addEventListener("click", () => {
    const seed = form.querySelector("[data-flag=seed]");
    seed.value = Number(seed.value) + 1;
    const freedom = form.querySelector("[data-flag=temperature]");
    // Without any freedom the likeliest bridge is found again, whatever the seed.
    if (mode === "interpolate" && !ways.isDrawn() && !Number(freedom.value)) freedom.value = "0.5";
    form.requestSubmit();
  });
}

byId("cancel").addEventListener("click", () => abort?.abort());
byId("examples").addEventListener("click", melodies.takeExamples);

const askMap = (content) =>
  run("/api/map", () => content, (made, asked) => result.add("/api/map", asked, made, [], true));

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
        ? "Ready"
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

async function openSession(file) {
  byId("problem").textContent = "";
  try {
    await session.open(file);
    result.showLatest();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    byId("problem").textContent = error.message;
  }
}

byId("save").addEventListener("click", async () => {
  await corrections.settled();
  session.save();
});
byId("open").addEventListener("change", () => {
  const [file] = byId("open").files;
  byId("open").value = "";
  if (file) openSession(file);
});
byId("rewrite")?.addEventListener("click", async () => {
  choose(byId("tab-vary"));
  byId("work").scrollIntoView({ block: "start" });
  byId("tab-vary").focus({ preventScroll: true });
  await marks.takeResult(result.item());
});

const press = (selector) => () => document.querySelector(selector)?.click();
keys.begin({
  " ": ["play or pause", player.toggle],
  ArrowLeft: ["a bar back", () => player.skip(-1)],
  ArrowRight: ["a bar on", () => player.skip(1)],
  l: ["loop, or no longer", press("#loop")],
  c: ["click on each beat, or no longer", press("#click")],
  b: ["compose", press("[role=tabpanel]:not([hidden]) button[type=submit]")],
  n: ["another one", press("[role=tabpanel]:not([hidden]) .another:not([hidden])")],
  k: ["keep what is shown, or no longer", press("#star")],
  h: ["hold what is shown, to compare", press("#hold")],
  x: ["switch between what is held and what is shown", press("#switch")],
  ...(byId("edit") && { e: ["edit the notes, or no longer", press("#edit")] }),
  d: ["download MIDI", press("#get-mid")],
  s: ["save the session", press("#save")],
});
map.begin(askMap);
melodies.onChoice(() => byId("tab-map").getAttribute("aria-selected") === "true" && drawMap());
melodies.begin(openSession);
marks.begin(result.melody);
click.begin(byId("audio"), player.heard);
watch();
