// The bars of a melody that are to be composed anew.

import { Problem } from "./api.js";
import * as melodies from "./melodies.js";
import { contents, drawRoll } from "./roll.js";
import { NOUN } from "./words.js";

const source = document.getElementById("vary-source");
const marks = document.getElementById("marks");
const words = document.getElementById("marked");
const RESULT = -1;
let input = null;
let marked = new Set(); // numbers from 0
let stroke = null; // { isMarked, bar }: whether what is drawn over is marked, and where it is
let giveResult = async () => null;

const bars = () => [...(marks?.querySelectorAll(".bars button") || [])];

/** Ranges of numbers from 1, such as 1-4,9; empty if there are none. */
function ranges(numbers) {
  const runs = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === number) last[1] = number + 1;
    else runs.push([number + 1, number + 1]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join();
}

function tell() {
  const told = ranges([...marked].sort((a, b) => a - b));
  const many = marked.size === 1 ? "Bar" : "Bars";
  words.textContent = marked.size
    ? `${many} ${told.replaceAll("-", " to ").replaceAll(",", ", ")} will be new.`
    : "Click the bars, or draw over them.";
}

function set(bar, isMarked) {
  if (isMarked) marked.add(bar);
  else marked.delete(bar);
  bars()[bar]?.setAttribute("aria-pressed", String(isMarked));
  tell();
}

function barButton(bar) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = bar + 1;
  button.setAttribute("aria-label", `Bar ${bar + 1}`);
  button.setAttribute("aria-pressed", String(marked.has(bar)));
  button.tabIndex = bar ? -1 : 0;
  button.addEventListener("pointerdown", (event) => {
    button.releasePointerCapture?.(event.pointerId);
    stroke = { isMarked: !marked.has(bar), bar };
    set(bar, stroke.isMarked);
  });
  button.addEventListener("pointerenter", () => {
    if (!stroke) return;
    // A quick hand leaves bars out.
    const [from, to] = [stroke.bar, bar].sort((a, b) => a - b);
    for (let passed = from; passed <= to; passed += 1) set(passed, stroke.isMarked);
    stroke.bar = bar;
  });
  // A click with the mouse was a pointer before; this is one of the keyboard.
  button.addEventListener("click", (event) => event.detail === 0 && set(bar, !marked.has(bar)));
  button.addEventListener("keydown", (event) => {
    const to = { ArrowRight: bar + 1, ArrowLeft: bar - 1, Home: 0, End: bars().length - 1 }[event.key];
    const next = bars()[to];
    if (!next) return;
    event.preventDefault();
    button.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  return button;
}

function draw() {
  const place = marks.querySelector(".roll");
  const row = marks.querySelector(".bars");
  if (!input) {
    place.replaceChildren();
    row.replaceChildren();
    words.textContent = `Choose the ${NOUN} first.`;
    return;
  }
  const { view } = input;
  marks.style.setProperty("--bars", view.bars);
  drawRoll(place, view, `${input.name}: ${contents(view)}`, Math.max(Number(source.value), 0));
  row.replaceChildren(...Array.from({ length: view.bars }, (_, bar) => barButton(bar)));
  tell();
}

async function take(firstMarks = []) {
  input = Number(source.value) === RESULT ? await giveResult() : melodies.at(Number(source.value));
  marked = new Set(firstMarks);
  draw();
}

/** The melody and the flag for the bars that stay, as the studio takes them. */
export function asked() {
  if (!input) throw new Problem(`Choose the ${NOUN} first.`);
  if (!marked.size) throw new Problem("Mark the bars that are to be composed anew.");
  const kept = Array.from({ length: input.view.bars }, (_, bar) => bar).filter(
    (bar) => !marked.has(bar),
  );
  return { input, keep_bars: ranges(kept) };
}

/** Shows the result, with the bars of its bridges marked. */
export async function takeResult(view) {
  source.value = String(RESULT);
  const { first_bar: first = 0 } = view; // of the line, after what its song begins with
  const bridge = view.sections
    .filter((section) => section.is_bridge)
    .flatMap(({ start_bar: start, bars: count }) =>
      Array.from({ length: count }, (_, bar) => start - first + bar),
    );
  await take(bridge.length < view.bars ? bridge : []);
}

/** `give` makes a melody of the result that is shown; null if there is none. */
export function begin(give) {
  if (!marks) return;
  giveResult = give;
  source.addEventListener("change", () => take());
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (stroke = null));
  melodies.onChoice((side) => side === Number(source.value) && take());
  take();
}
