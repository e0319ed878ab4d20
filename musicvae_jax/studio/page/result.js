// What was made: the one that is looked at, and all of them beside each other.

import { getBlob } from "./api.js";
import * as edits from "./edits.js";
import * as history from "./history.js";
import * as melodies from "./melodies.js";
import * as places from "./places.js";
import * as player from "./player.js";
import { fresh, onRemade, path, remake } from "./remake.js";
import { contents, drawCurves, drawLabels, drawRegion, drawRoll } from "./roll.js";
import * as scores from "./scores.js";

const byId = (id) => document.getElementById(id);
const FACTS = {
  monotonicity: "monotonicity",
  largest_jump: "largest jump",
  tracking_error: "off the curve",
  nll_excess: "NLL excess",
  key_stability: "share in key",
  density_stability: "as busy as A and B",
};
const SHARES = { sampled_accuracy: "as it was", teacher_forced_accuracy: "with a prompter" };
const FILES = [...document.querySelectorAll("#result [data-suffix]")].map((a) => a.dataset.suffix);
let entry = null; // of the history
let number = 0;
let held = null; // { entry, number }
let editor = null; // of what is shown

/** What is shown, or undefined. */
export const item = () => entry?.made.items[number];
const rolls = (of, index) => {
  if (of !== entry) return [];
  const card = byId("alternatives").children[index]?.querySelector(".roll");
  return [...(index === number ? [byId("roll"), byId("curves")] : []), ...(card ? [card] : [])];
};

function facts(view) {
  const told = Object.entries(view.facts || {});
  const share = (name, value) => `${Math.round(100 * value)} % ${name.replaceAll("_", " ")}`;
  const shares = told.filter(([name]) => !(name in FACTS) && name !== "log_prob_per_token");
  const words = shares.map(([name, value]) => share(SHARES[name] || name, value));
  const hand = edits.isEdited(entry, view) ? ["edited by hand"] : [];
  return [`${view.bars} bars`, `${view.duration_sec.toFixed(0)} s`, ...words, ...hand].join(" · ");
}

function numbers(view) {
  const told = Object.entries(view.facts || {}).map(
    ([name, value]) => `${FACTS[name] || name.replaceAll("_", " ")} ${value.toFixed(3)}`,
  );
  const score = "score" in view ? [`score ${view.score.toFixed(3)}`] : [];
  return [view.name, ...score, ...told].join(" · ");
}

function setLinks() {
  for (const suffix of FILES) byId(`get-${suffix}`).href = path(entry, number, suffix);
  byId("get-wav").href += loudness(item());
  byId("get-json").href = `/api/result/${entry.made.id}/report.json`;
  byId("get-zip").href = `/api/result/${entry.made.id}/all.zip`;
}

function look(index) {
  if (index !== number) stopEditing();
  number = index;
  draw();
}

function draw() {
  const view = item();
  byId("result-title").textContent = view.title;
  byId("result-facts").textContent = facts(view);
  byId("result-numbers").textContent = numbers(view);
  scores.draw(byId("scores"), view.scores);
  byId("roll").closest(".stretch").style.setProperty("--bars", view.bars);
  drawLabels(byId("labels"), view);
  if (editor) editor.refresh(view);
  else drawRoll(byId("roll"), view, `${view.title}: ${contents(view)}`);
  drawCurves(byId("curves"), byId("legend"), view);
  setLinks();
  setRegion();
  drawStar();
  [...byId("alternatives").children].forEach((card, place) => {
    card.classList.toggle("chosen", place === number);
    card.querySelector(".show").setAttribute("aria-pressed", String(place === number));
  });
  byId("loudness-part").hidden = !isAccompanied(view);
  if (byId("edit")) byId("edit").disabled = !edits.canEdit(entry, view);
  const command = edits.isEdited(entry, view) ? ["# ... and then its notes were edited by hand"] : [];
  byId("command").textContent = [...entry.commands, ...command].join("\n");
}

function stopEditing() {
  if (!editor) return;
  editor.close();
  editor = null;
  byId("edit").setAttribute("aria-pressed", "false");
  drawRoll(byId("roll"), item(), `${item().title}: ${contents(item())}`);
  setRegion();
}

function startEditing() {
  const failed = (error) => player.fail(error.message);
  editor = edits.open(byId("roll"), entry, number, {
    change: draw,
    done: () => {
      stopEditing();
      byId("edit").focus();
    },
    failed,
  });
  byId("edit").setAttribute("aria-pressed", "true");
}

/** Whether anything is heard beside the line. */
function isAccompanied({ notes, others = [] }) {
  const line = new Set(notes.map(([pitch, start]) => `${pitch} ${Math.round(start)}`));
  return others.some(([pitch, start]) => !line.has(`${pitch} ${Math.round(start)}`));
}

/** How loud the accompaniment of a view is to be, for the address of its sound. */
const loudness = (view) =>
  view.is_whole && byId("loudness").value !== "100" ? `?accompaniment=${byId("loudness").value}` : "";

async function hear(of, index, start, step = 0, again = false) {
  const view = of.made.items[index];
  if (player.isLoaded(view) && !again) return start && player.toggle();
  const variant = loudness(view);
  const sound = () => fresh(of, () => getBlob(path(of, index, "wav") + variant));
  try {
    await player.load(view.title, view, () => rolls(of, index), sound, start, step, variant);
  } catch (error) {
    player.fail(error.message);
  }
}

function button(words, label, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = words;
  element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}

function card(view, index) {
  const place = document.createElement("li");
  const title = document.createElement("p");
  const strong = document.createElement("strong");
  strong.textContent = view.title;
  title.append(`${index + 1}. `, strong);
  const roll = document.createElement("div");
  roll.className = "roll";
  drawRoll(roll, view, `${view.title}: ${contents(view)}`);
  const words = document.createElement("p");
  words.textContent = view.scores ? scores.inWords(view.scores) : "";
  const row = document.createElement("div");
  row.className = "row";
  const show = button("Show", `Show ${view.title}`, () => look(index));
  show.classList.add("show");
  row.append(show, button("Play", `Play ${view.title}`, () => hear(entry, index, true)));
  place.append(title, roll, words, row);
  return place;
}

/** Draws a card again, whose item has changed. */
function drawCard(index) {
  const old = byId("alternatives").children[index];
  old.replaceWith(card(item(), index));
  byId("alternatives").children[index].classList.add("chosen");
}

/** Shows an item of an entry of the history. */
function show(of, index = 0) {
  stopEditing();
  entry = of;
  const { made, commands } = of;
  places.draw(made);
  byId("result").hidden = false;
  byId("alternatives").replaceChildren(...made.items.map(card));
  byId("alternatives-part").hidden = made.items.length < 2;
  byId("command-part").hidden = !commands.length;
  byId("copy").textContent = "Copy";
  const { sections, bars } = made.items[index];
  const begin = sections.findIndex((section) => section.is_bridge);
  // A bridge that changes its meter has several sections.
  const after = sections.find((section, place) => place > begin && !section.is_bridge);
  byId("loop-from").value = begin < 0 ? 1 : sections[begin].start_bar + 1;
  byId("loop-to").value = begin < 0 || !after ? bars : after.start_bar;
  byId("loop").checked = false;
  look(index);
  history.mark(of);
  if (!of.isFresh) remake(of).catch((error) => player.fail(error.message));
}

/** Adds a result to the history, shows it, and loads the sound of its first item. */
export function add(asked, content, made, commands, start) {
  const names = (content.inputs || []).map((input) => input.name.replaceAll("_", " "));
  const label = [made.items[0].title, names.join(" → ")].filter(Boolean).join(" · ");
  show(history.add({ path: asked, content, made, commands, label }));
  byId("result-title").focus({ preventScroll: true });
  byId("result").scrollIntoView({ block: "nearest" });
  hear(entry, 0, start);
}

/** Shows what was made last, if anything. */
export function showLatest() {
  const latest = history.entries.at(-1);
  if (latest) show(latest, latest.kept[0] ?? 0);
  else byId("result").hidden = true;
}

/** The melody of what is shown, without the rest of its songs; null if nothing is. */
export const melody = () => {
  const alone = item()?.is_whole ? " --melody_only" : "";
  const inOne = entry?.content.mode === "interpolate" ? " --programs=keep" : "";
  const command = entry?.commands.join("\n") + alone + inOne;
  return (
    entry &&
    fresh(entry, () => melodies.ofResult(path(entry, number, "line"), item().name, command))
  );
};

function drawStar() {
  const isKept = entry.kept.includes(number);
  byId("star").setAttribute("aria-pressed", String(isKept));
  byId("star").textContent = isKept ? "★ Kept" : "☆ Keep";
  const other = held && held.entry.made.items[held.number];
  byId("switch").hidden = !other || other === item();
  if (other) byId("switch").textContent = `Switch to ${other.title}`;
}

function setRegion() {
  const view = item();
  const [from, to] = ["from", "to"].map((name) => {
    const field = byId(`loop-${name}`);
    field.max = view.bars;
    return Math.min(Math.max(Math.round(Number(field.value)) || 1, 1), view.bars);
  });
  const bars = byId("loop").checked ? { from: Math.min(from, to), to: Math.max(from, to) } : null;
  drawRegion(byId("roll"), view, bars);
  player.loop(view, bars);
}

/** Clicks go to a place; what is drawn over is looped. */
function watchRoll(place) {
  const share = (event) => {
    const box = place.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  let begin = null;
  place.addEventListener("pointerdown", (event) => {
    begin = place.classList.contains("editing") ? null : share(event);
  });
  place.addEventListener("pointerup", (event) => {
    if (begin === null) return;
    const [from, to] = [begin, share(event)].sort((a, b) => a - b);
    const { bars } = item();
    begin = null;
    if ((to - from) * bars < 0.5) return player.seek(item(), from);
    byId("loop-from").value = Math.floor(from * bars) + 1;
    byId("loop-to").value = Math.min(Math.ceil(to * bars), bars);
    byId("loop").checked = true;
    setRegion();
  });
  place.addEventListener("pointercancel", () => (begin = null));
}

player.onChange((plays, view) => {
  byId("play").textContent = plays && entry && view === item() ? "Pause" : "Play";
});
byId("play").addEventListener("click", () => hear(entry, number, true));
watchRoll(byId("roll"));
for (const id of ["loop", "loop-from", "loop-to"]) byId(id).addEventListener("change", setRegion);
byId("edit")?.addEventListener("click", () => (editor ? stopEditing() : startEditing()));
onRemade((of) => {
  if (of !== entry) return;
  drawCard(number);
  draw();
});
// What was edited is made before it is downloaded.
for (const name of [...FILES, "json", "zip"]) {
  byId(`get-${name}`).addEventListener("click", async (event) => {
    if (entry.isFresh) return;
    event.preventDefault();
    try {
      await remake(entry);
      event.target.click();
    } catch (error) {
      player.fail(error.message);
    }
  });
}
byId("loudness").addEventListener("change", () => {
  setLinks();
  hear(entry, number, player.isPlaying(), player.step(), true);
});
byId("star").addEventListener("click", () => {
  history.star(entry, number);
  drawStar();
});
byId("hold").addEventListener("click", () => {
  held = { entry, number };
  drawStar();
});
byId("switch").addEventListener("click", () => {
  const plays = player.isPlaying();
  const step = player.step();
  const other = held;
  held = { entry, number };
  if (other.entry === entry) look(other.number);
  else show(other.entry, other.number);
  drawStar();
  if (!player.isLoaded(item())) hear(entry, number, plays, step);
});
["a", "b"].forEach((letter, side) =>
  byId(`use-${letter}`).addEventListener("click", () => melodies.use(side, melody)),
);
byId("result-details").addEventListener("toggle", () => {
  byId("curves").hidden = !byId("result-details").open;
});
byId("curves").hidden = true;
byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(byId("command").textContent);
    byId("copy").textContent = "Copied";
  } catch {
    // Without the permission the text is selected, to be copied by hand.
    getSelection().selectAllChildren(byId("command"));
  }
});
history.begin((of, index) => {
  show(of, index);
  hear(of, index, false);
});
