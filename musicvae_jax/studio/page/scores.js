// What is said of a bridge, in words and bars.

// By name: what it is called, what it means, and words from a number on.
const SCORES = {
  smooth: [
    "Smooth",
    "How evenly it moves from A to B, without turning back and without a jump.",
    [[0.6, "very"], [0.45, "fairly"], [0.2, "not very"], [0, "no: it jumps"]],
  ],
  in_key: [
    "In key",
    "How much of it is in the key of A or in the key of B.",
    [[0.95, "all of it"], [0.85, "most of it"], [0, "only a part"]],
  ],
  tuneful: [
    "Tuneful",
    "How much it is like the tunes that the model has learned, next to A and B themselves.",
    [[0.9, "very"], [0.7, "fairly"], [0, "not very"]],
  ],
  as_busy: [
    "Evenly busy",
    "How near the number of its hits is to what leads from A to B.",
    [[0.9, "very"], [0.75, "fairly"], [0, "no: fuller or emptier"]],
  ],
  drummed: [
    "Like a drummer",
    "How much it is like the drumming that the model has learned, next to A and B themselves.",
    [[0.9, "very"], [0.7, "fairly"], [0, "not very"]],
  ],
};

/** What there is to be said: not everything is measured of all music. */
const told = (scores) => Object.entries(SCORES).filter(([name]) => name in scores);

const wordsFor = (value, words) => words.find(([from]) => value >= from)[1];

/** All scores in a line, for a card. */
export const inWords = (scores) =>
  told(scores)
    .map(([name, [title, , words]]) => `${title.toLowerCase()}: ${wordsFor(scores[name], words)}`)
    .join(" · ");

/** Draws scores into a list; the explanation is shown on hover, and read aloud. */
export function draw(list, scores) {
  list.hidden = !scores;
  list.replaceChildren();
  if (!scores) return;
  for (const [name, [title, means, words]] of told(scores)) {
    const entry = document.createElement("li");
    entry.title = means;
    const strong = document.createElement("b");
    strong.textContent = title;
    const meter = document.createElement("meter");
    meter.max = 1;
    meter.value = scores[name];
    meter.setAttribute("aria-label", title);
    const verdict = document.createElement("span");
    verdict.textContent = wordsFor(scores[name], words);
    const hidden = document.createElement("span");
    hidden.className = "unseen";
    hidden.textContent = means;
    entry.append(strong, meter, verdict, hidden);
    list.append(entry);
  }
}
