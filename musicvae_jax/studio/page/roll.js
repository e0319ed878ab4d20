// Piano rolls and curves, as SVG over one time axis: a unit is a step, as many to each bar.

import { begun, named, NOUN } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/** The steps of a bar of a view; views in session files of before do not say it. */
export const perBar = (view) => view.steps_per_bar || 16;

function shape(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

function canvas(width, height, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  return svg;
}

/** What a view has notes of: `hits`, or `notes`. */
export const unitOf = (view) => view.unit || "notes";

/** What is in a view, in words. */
export const contents = (view) => `${view.notes.length} ${unitOf(view)} in ${view.bars} bars`;

function drawBars(svg, view, height) {
  const every = view.bars > 64 ? 4 : 1;
  if (view.bars <= 32) drawBeats(svg, view, height);
  for (let bar = every; bar < view.bars; bar += every) {
    const strong = bar % 4 === 0 ? " strong" : "";
    const x = bar * perBar(view);
    shape("line", { x1: x, x2: x, y1: 0, y2: height, class: `grid${strong}` }, svg);
  }
  for (const section of view.sections.slice(1)) {
    const x = section.start_bar * perBar(view);
    shape("line", { x1: x, x2: x, y1: 0, y2: height, class: "edge" }, svg);
  }
}

function drawBeats(svg, view, height) {
  let lines = "";
  for (const { start_bar, bars, beats = 4 } of view.sections) {
    for (let beat = 1; beat < bars * beats; beat += 1) {
      if (beat % beats) lines += `M${(start_bar + beat / beats) * perBar(view)} 0v${height}`;
    }
  }
  shape("path", { d: lines, class: "grid beat" }, svg);
}

/** The lowest and the highest pitch that is shown; at least an octave. */
function range(notes) {
  const lowest = notes.reduce((low, [pitch]) => Math.min(low, pitch), 127);
  return [lowest, notes.reduce((high, [pitch]) => Math.max(high, pitch), lowest + 11)];
}

/** The path of many notes: a shape for each would be slow. */
const boxes = (notes, highest) =>
  notes
    .map(([pitch, start, end]) => {
      const length = (end - start).toFixed(2);
      return `M${start} ${highest + 1 - pitch}h${length}v.9h-${length}z`;
    })
    .join("");

/** Draws a track of a file, over quarter notes, with the bar lines of its melody. */
export function drawTrack(place, track, song) {
  const [lowest, highest] = range(track.notes);
  const rows = highest - lowest + 3;
  const svg = canvas(song.quarters, rows, "");
  svg.removeAttribute("role");
  svg.setAttribute("aria-hidden", "true");
  const bar = song.bar_quarters || 4;
  const first = ((song.bar_one % bar) + bar) % bar;
  let lines = "";
  for (let quarter = first; quarter < song.quarters; quarter += bar) lines += `M${quarter} 0v${rows}`;
  shape("path", { d: lines, class: "grid strong" }, svg);
  shape("path", { d: boxes(track.notes, highest), class: "notes" }, svg);
  place.replaceChildren(svg);
}

/**
 * Draws the notes of a view, coloured by where they come from, and a cursor.
 *
 * `side` is 1 for melody B, whose colour it is then drawn in. The lowest and the highest pitch
 * are the view's `range`, or those of its notes.
 */
export function drawRoll(place, view, label, side = 0) {
  const { lowest, highest, lines } = rowsOf(view);
  const rows = highest - lowest + 1;
  const width = view.bars * perBar(view);
  const svg = canvas(width, rows, label);
  for (const line of lines) {
    const y = highest + 1 - line;
    shape("line", { x1: 0, x2: width, y1: y, y2: y, class: "grid" }, svg);
  }
  if (view.others) shape("path", { d: boxes(view.others, highest - 1), class: "other" }, svg);
  drawBars(svg, view, rows);
  view.notes.forEach(([pitch, start, end, velocity], index) => {
    const next = view.notes[index + 1];
    // The same note struck again is to be seen as two.
    const gap = next && next[0] === pitch && next[1] === end ? 0.3 : 0;
    const note = { x: start, y: highest - pitch + 0.05, width: end - start - gap, height: 0.9 };
    const rect = shape("rect", note, svg);
    // What is played early belongs to the bar that it is nearest to.
    const t = side || view.t[Math.min(Math.floor((start + 0.5) / perBar(view)), view.bars - 1)];
    rect.style.fill = `color-mix(in oklab, var(--b) ${100 * t}%, var(--a))`;
    if (velocity) rect.style.fillOpacity = 0.3 + (0.7 * velocity) / 127;
  });
  const cursor = document.createElement("div");
  cursor.className = "cursor";
  place.replaceChildren(svg, cursor);
  place.style.setProperty("--bars", view.bars);
  nameRows(place, view);
}

/**
 * The rows of a roll, from the lowest to the highest, and below which of them lines are drawn:
 * the rows that a view names, or pitches with a margin, and octaves.
 */
function rowsOf(view) {
  if (view.rows) {
    return { lowest: 0, highest: view.rows.length - 1, lines: view.rows.keys() };
  }
  const [lowest, highest] = view.range || range([...view.notes, ...(view.others || [])]);
  const pitches = Array.from({ length: highest - lowest + 3 }, (_, row) => lowest - 1 + row);
  const lines = pitches.filter((pitch) => pitch % 12 === 0);
  return { lowest: lowest - 1, highest: highest + 1, lines };
}

/** Writes the names of rows beside a roll, where they stay while it is scrolled. */
function nameRows(place, view) {
  const scroll = place.closest(".scroll");
  scroll?.querySelector(".rows")?.remove();
  scroll?.classList.toggle("rowed", Boolean(view.rows));
  if (!scroll || !view.rows) return;
  const names = document.createElement("div");
  names.className = "rows";
  names.setAttribute("aria-hidden", "true");
  for (const row of [...view.rows].reverse()) {
    const name = document.createElement("span");
    name.textContent = row;
    names.append(name);
  }
  scroll.prepend(names);
}

// What the command line calls 1 and 2.
const NAMES = {
  bridge: "Bridge",
  continuation: "Continuation",
  kept: "Kept",
  new: "New",
};

const nameOf = (label) =>
  NAMES[label] ||
  label
    .replace(/^(\w+) (\d)$/, (label, noun, number) =>
      noun === NOUN ? begun(named(number - 1)) : label,
    )
    .replace(/^bridge/, "Bridge");

/** Names above the roll the parts of a piece. */
export function drawLabels(place, view) {
  const isUsual = view.sections.every(({ meter = "4/4" }) => meter === "4/4");
  place.replaceChildren(
    ...view.sections.map((section) => {
      const label = document.createElement("div");
      label.style.left = `${(100 * section.start_bar) / view.bars}%`;
      label.style.width = `${(100 * section.bars) / view.bars}%`;
      const name = document.createElement("b");
      name.textContent = nameOf(section.label);
      const meter = isUsual ? "" : section.meter;
      label.append(name, [meter, section.title, section.key].filter(Boolean).join(" · "));
      label.title = label.textContent;
      return label;
    }),
  );
}

// By name: the class of the line, the words of the legend.
const LINES = {
  similarity_1: ["s1", "similarity to A"],
  similarity_2: ["s2", "similarity to B"],
  hit_overlap_1: ["s1", "hits as in A"],
  hit_overlap_2: ["s2", "hits as in B"],
  t_latent: ["tl", "pace of the latent"],
  t_control: ["tc", "pace of the notes"],
};

/** Draws what is known of each bar, below the roll; returns whether anything is. */
export function drawCurves(place, legend, view) {
  place.replaceChildren();
  legend.replaceChildren();
  const curves = view.curves || {};
  if (!Object.values(curves).some(Boolean)) return false;
  const width = view.bars * perBar(view);
  const svg = canvas(width, 100, "Similarity to A and B, pace, and NLL of each bar of the bridge");
  if (curves.nll) drawNll(svg, legend, curves.nll, perBar(view));
  drawBars(svg, view, 100);
  for (const [name, [style, words]] of Object.entries(LINES)) {
    const points = (curves[name] || []).flatMap((value, bar) =>
      value === null ? [] : [[(bar + 0.5) * perBar(view), 96 - 92 * value]],
    );
    if (!points.length) continue;
    const [first] = points;
    const path = points.length > 1 ? points : [[first[0] - 4, first[1]], [first[0] + 4, first[1]]];
    shape("polyline", { points: path.map((p) => p.join()).join(" "), class: `curve ${style}` }, svg);
    addLegend(legend, words, (icon) =>
      shape("line", { x1: 0, x2: 40, y1: 8, y2: 8, class: `curve ${style}` }, icon),
    );
  }
  const cursor = document.createElement("div");
  cursor.className = "cursor";
  place.append(svg, cursor);
  return true;
}

function drawNll(svg, legend, nll, width) {
  const most = Math.max(...nll.filter((value) => value !== null), 1e-6);
  nll.forEach((value, bar) => {
    if (value === null) return;
    const height = (60 * value) / most;
    shape("rect", { x: bar * width, y: 100 - height, width, height, class: "bar" }, svg);
  });
  addLegend(legend, `NLL, up to ${most.toFixed(2)} nats a token`, (icon) =>
    shape("rect", { x: 8, y: 2, width: 24, height: 14, class: "bar" }, icon),
  );
}

function addLegend(legend, words, draw) {
  const entry = document.createElement("li");
  const icon = canvas(40, 16, "");
  icon.setAttribute("aria-hidden", "true");
  icon.removeAttribute("role");
  draw(icon);
  entry.append(icon, words);
  legend.append(entry);
}

/** Shows which bars are looped, counted from 1; none if `bars` is null. */
export function drawRegion(place, view, bars) {
  place.querySelector(".region")?.remove();
  if (!bars) return;
  const region = document.createElement("div");
  region.className = "region";
  region.style.left = `${(100 * (bars.from - 1)) / view.bars}%`;
  region.style.width = `${(100 * (bars.to - bars.from + 1)) / view.bars}%`;
  place.append(region);
}

/** The step that sounds at a time, by the piece's tempos. */
export function stepAt(view, seconds) {
  const [step, begin, length] = view.tempos.findLast((tempo) => tempo[1] <= seconds) || view.tempos[0];
  return Math.min(step + (seconds - begin) / length, view.bars * perBar(view));
}

/** When a step begins. */
export function secondsAt(view, step) {
  const [from, begin, length] = view.tempos.findLast((tempo) => tempo[0] <= step) || view.tempos[0];
  return begin + (step - from) * length;
}

/** Moves the cursors of rolls to a time; hides them if there is none. */
export function moveCursor(places, view, seconds) {
  const share = seconds === null ? 0 : stepAt(view, seconds) / (view.bars * perBar(view));
  for (const place of places) {
    const cursor = place.querySelector(".cursor");
    if (!cursor) continue;
    cursor.style.visibility = seconds === null ? "hidden" : "visible";
    cursor.style.left = `${100 * share}%`;
    const box = place.closest(".scroll");
    const at = share * place.clientWidth;
    // What is being edited stays where it is; what is hidden has no place.
    const isFollowed = box && place.clientWidth && !box.querySelector(".editing");
    const names = box?.querySelector(".rows")?.offsetWidth || 0;
    const seen = isFollowed && box.clientWidth - names - 24;
    if (isFollowed && (at < box.scrollLeft || at > box.scrollLeft + seen)) {
      box.scrollLeft = at - 24;
    }
  }
}
