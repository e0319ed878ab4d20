// What was made: the one that is looked at, and all of them beside each other.

import { getBlob } from "./api.js";
import * as melodies from "./melodies.js";
import * as player from "./player.js";
import { drawCurves, drawLabels, drawRoll } from "./roll.js";

const byId = (id) => document.getElementById(id);
const FACTS = {
  monotonicity: "monotonicity",
  largest_jump: "largest jump",
  tracking_error: "tracking error",
  nll_excess: "NLL excess",
  key_stability: "key stability",
  sampled_accuracy: "sampled accuracy",
  teacher_forced_accuracy: "teacher-forced accuracy",
  log_prob_per_token: "log probability a token",
};
let result = null;
let number = 0;

const path = (index, suffix) => `/api/result/${result.id}/${index}.${suffix}`;
const item = () => result.items[number];
const rolls = (index) => {
  const card = byId("alternatives").children[index]?.querySelector(".roll");
  return [...(index === number ? [byId("roll"), byId("curves")] : []), ...(card ? [card] : [])];
};

function describe(view) {
  const score = "score" in view ? [`score ${view.score.toFixed(3)}`] : [];
  const facts = Object.entries(view.facts || {}).map(([name, value]) =>
    name in FACTS ? `${FACTS[name]} ${value.toFixed(2)}` : `${Math.round(100 * value)} % ${name}`,
  );
  return [...score, `${view.bars} bars`, `${view.duration_sec.toFixed(1)} s`, ...facts].join(" · ");
}

function look(index) {
  number = index;
  const view = item();
  byId("result-title").textContent = view.title;
  byId("result-facts").textContent = describe(view);
  byId("roll").closest(".stretch").style.setProperty("--bars", view.bars);
  drawLabels(byId("labels"), view);
  drawRoll(byId("roll"), view, `${view.title}: ${view.notes.length} notes in ${view.bars} bars`);
  drawCurves(byId("curves"), byId("legend"), view);
  for (const suffix of ["mid", "wav", "png"]) byId(`get-${suffix}`).href = path(index, suffix);
  byId("get-json").href = `/api/result/${result.id}/report.json`;
  [...byId("alternatives").children].forEach((card, place) => {
    card.classList.toggle("chosen", place === index);
    card.querySelector(".show").setAttribute("aria-pressed", String(place === index));
  });
}

async function hear(index, start) {
  const view = result.items[index];
  if (player.isLoaded(view)) return start && player.toggle();
  const source = path(index, "wav");
  try {
    await player.load(view.title, view, () => rolls(index), () => getBlob(source), start);
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
  const entry = document.createElement("li");
  const title = document.createElement("p");
  const strong = document.createElement("strong");
  strong.textContent = view.title;
  const score = "score" in view ? `, score ${view.score.toFixed(3)}` : "";
  title.append(`${index + 1}. `, strong, score);
  const roll = document.createElement("div");
  roll.className = "roll";
  drawRoll(roll, view, `${view.title}: ${view.notes.length} notes in ${view.bars} bars`);
  const row = document.createElement("div");
  row.className = "row";
  const show = button("Show", `Show ${view.title}`, () => look(index));
  show.classList.add("show");
  row.append(show, button("Play", `Play ${view.title}`, () => hear(index, true)));
  entry.append(title, roll, row);
  return entry;
}

/** Shows a result, and loads the sound of its first item. */
export function show(made, commands, start) {
  result = made;
  number = 0;
  byId("result").hidden = false;
  byId("alternatives").replaceChildren(...made.items.map(card));
  byId("alternatives-part").hidden = made.items.length < 2;
  byId("command-part").hidden = !commands.length;
  byId("command").textContent = commands.join("\n");
  byId("copy").textContent = "Copy";
  look(0);
  byId("result-title").focus({ preventScroll: true });
  byId("result").scrollIntoView({ block: "nearest" });
  hear(0, start);
}

byId("play").addEventListener("click", () => hear(number, true));
byId("roll").addEventListener("click", (event) => {
  const box = byId("roll").getBoundingClientRect();
  player.seek(item(), (event.clientX - box.left) / box.width);
});
["a", "b"].forEach((letter, side) =>
  byId(`use-${letter}`).addEventListener("click", () =>
    melodies.use(side, path(number, "mid"), item().name, byId("command").textContent),
  ),
);
byId("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(byId("command").textContent);
    byId("copy").textContent = "Copied";
  } catch {
    // Without the permission the text is selected, to be copied by hand.
    getSelection().selectAllChildren(byId("command"));
  }
});
