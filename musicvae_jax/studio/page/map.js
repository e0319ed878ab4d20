// The map of the latent space: points to choose, and places between them.

import { work } from "./api.js";
import * as melodies from "./melodies.js";
import { begun, LETTERS, named } from "./words.js";

const map = document.getElementById("map");
const cross = map.querySelector(".cross");
const place = { x: 0.5, y: 0.5 };
const STEP = 0.04;
let sides = [];

function move(x, y) {
  place.x = Math.min(Math.max(x, 0), 1);
  place.y = Math.min(Math.max(y, 0), 1);
  cross.style.left = `${100 * place.x}%`;
  cross.style.top = `${100 * (1 - place.y)}%`;
}

const asked = () => melodies.known().map(({ name, melody }) => ({ name, melody }));

/** Asks for the points and draws them; `make` is called with what to ask for at a place. */
export async function draw(make) {
  const known = melodies.known();
  sides = known.map(({ side }) => side);
  const points = await work("/api/map", { inputs: asked() }, () => {});
  map.querySelectorAll(".point").forEach((point) => point.remove());
  let input = 0;
  for (const { name, kind, x, y } of points) {
    const point = document.createElement("button");
    point.type = "button";
    point.className = "point landmark";
    // The names of all would hide each other.
    point.textContent = name.replace("drawn ", "");
    point.setAttribute("aria-label", name);
    if (kind === "input") {
      const side = sides[input++];
      point.className = `point side-${side % 2}`;
      point.textContent = LETTERS[side];
      point.setAttribute("aria-label", `${begun(named(side))}, ${name}`);
    }
    point.style.left = `${100 * x}%`;
    point.style.top = `${100 * (1 - y)}%`;
    point.addEventListener("click", (event) => {
      event.stopPropagation();
      move(x, y);
      make({ x, y, inputs: asked() });
    });
    map.append(point);
  }
}

/** Makes the map answer to clicks and keys. */
export function begin(make) {
  map.addEventListener("click", (event) => {
    if (event.target !== map) return;
    const box = map.getBoundingClientRect();
    move((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
    make({ ...place, inputs: asked() });
  });
  cross.addEventListener("click", () => make({ ...place, inputs: asked() }));
  cross.addEventListener("keydown", (event) => {
    const [dx, dy] = {
      ArrowLeft: [-STEP, 0],
      ArrowRight: [STEP, 0],
      ArrowUp: [0, STEP],
      ArrowDown: [0, -STEP],
    }[event.key] || [0, 0];
    if (!dx && !dy) return;
    event.preventDefault();
    move(place.x + dx, place.y + dy);
  });
  move(0.5, 0.5);
}
