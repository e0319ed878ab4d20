// What was made in this session, what of it is kept, and a file of all of it.

const byId = (id) => document.getElementById(id);
export const entries = [];
let show = () => {};
let shown = null;

/** The places in `made.items` that are kept are in `kept`. */
export function add(entry) {
  entries.push({ kept: [], isFresh: true, ...entry });
  draw();
  return entries.at(-1);
}

/** Keeps an item of an entry, or keeps it no longer. */
export function star(entry, index) {
  const place = entry.kept.indexOf(index);
  if (place < 0) entry.kept.push(index);
  else entry.kept.splice(place, 1);
  draw();
}

export function mark(entry) {
  shown = entry;
  draw();
}

function row(entry, number) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const star = entry.kept.length ? "★ " : "";
  button.textContent = `${star}${number + 1}. ${entry.label}`;
  if (entry === shown) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => show(entry, entry.kept[0] ?? 0));
  item.append(button);
  return item;
}

export function draw() {
  const only = byId("only-kept").checked;
  byId("history-part").hidden = !entries.length;
  byId("history").replaceChildren(
    ...entries
      .map((entry, number) => [entry, row(entry, number)])
      .filter(([entry]) => !only || entry.kept.length)
      .map(([, item]) => item)
      .reverse(),
  );
}

/** `look` shows an item of an entry. */
export function begin(look) {
  show = look;
  byId("only-kept").addEventListener("change", draw);
}

/** The entries of a session file take the place of those that were here. */
export function restore(told) {
  entries.splice(0, entries.length, ...told.map((entry) => ({ ...entry, isFresh: false })));
  draw();
}
