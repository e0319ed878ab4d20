// How many melodies there are, in which order, and how long the bridges between them are.

import { LETTERS } from "./words.js";

const KIND = "application/x-melody"; // of what is dragged
const FEWEST = 2;
const addButton = document.getElementById("add-melody");
let places = [];
let move = () => {};
let shown = FEWEST;

/** How many melodies are played in turn. */
export const count = () => shown;

const field = (side) => places[side].querySelector(".bridge-bars");
const loops = () => Boolean(document.querySelector("[data-flag=loop]")?.checked);
const bridges = () => (loops() ? shown : shown - 1);

/** The lengths of the bridges as they were written, in turn. */
export const lengths = () => places.slice(0, bridges()).map((_, side) => field(side).value);

/** The bars of each bridge, as the flag takes them; empty if all have the `usual` number. */
export function bridgeBars(usual) {
  const told = lengths();
  if (shown === FEWEST || !told.some(Boolean)) return "";
  return told.map((bars) => bars || usual).join();
}

function draw() {
  places.forEach((place, side) => {
    place.hidden = side >= shown;
    const isLast = side === shown - 1;
    place.querySelector(".earlier").disabled = side === 0;
    place.querySelector(".later").disabled = isLast;
    place.querySelector(".remove").hidden = shown === FEWEST;
    place.querySelector(".leads").hidden = shown === FEWEST || side >= bridges();
    const names = [side, isLast ? 0 : side + 1].map((number) => LETTERS[number]);
    const words = `Bars of the bridge from ${names.join(" to ")}`;
    place.querySelector(".leads span").textContent = words;
  });
  addButton.disabled = shown === places.length;
}

/** Sets how many there are, and the lengths of their bridges if they are told. */
export function set(number, told = null) {
  shown = Math.min(Math.max(number, FEWEST), places.length);
  if (told) places.forEach((_, side) => (field(side).value = told[side] || ""));
  draw();
}

async function shift(side, by) {
  await move(side, side + by);
  const names = by < 0 ? [".earlier", ".later"] : [".later", ".earlier"];
  const buttons = names.map((name) => places[side + by].querySelector(name));
  buttons.find((button) => !button.disabled).focus(); // at the end it is the other one
}

async function remove(side) {
  await move(side, null);
  field(side).value = "";
  set(shown - 1);
  places[Math.min(side, shown - 1)].querySelector(".earlier, .later").focus();
}

/** A melody is dragged by its name onto another one's card, whose place it takes. */
function makeDraggable(place, side) {
  const handle = place.querySelector("h2");
  handle.draggable = true;
  handle.addEventListener("dragstart", (event) => {
    event.dataTransfer.setData(KIND, String(side));
    event.dataTransfer.effectAllowed = "move";
  });
  const takes = (event) => event.dataTransfer.types.includes(KIND);
  place.addEventListener("dragover", (event) => {
    if (!takes(event)) return;
    event.preventDefault();
    place.classList.add("target");
  });
  for (const name of ["dragleave", "drop"]) {
    place.addEventListener(name, () => place.classList.remove("target"));
  }
  place.addEventListener("drop", (event) => {
    if (!takes(event)) return;
    event.preventDefault();
    const from = Number(event.dataTransfer.getData(KIND));
    if (from !== side) move(from, side);
  });
}

/** Makes cards a chain; `moves` moves a melody from place to place, or with null removes it. */
export function begin(cards, moves) {
  places = cards;
  move = moves;
  places.forEach((place, side) => {
    makeDraggable(place, side);
    place.querySelector(".earlier").addEventListener("click", () => shift(side, -1));
    place.querySelector(".later").addEventListener("click", () => shift(side, 1));
    place.querySelector(".remove").addEventListener("click", () => remove(side));
  });
  addButton.addEventListener("click", () => {
    set(shown + 1);
    places[shown - 1].querySelector("input[type=file]").focus();
  });
  document.querySelector("[data-flag=loop]")?.addEventListener("change", draw);
  draw();
}
