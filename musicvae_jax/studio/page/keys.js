// Keys for what is done often.

const dialog = document.getElementById("keys");
const list = document.getElementById("keys-list");
const actions = new Map(); // by key: its words, and what it does

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→" };
const WRITES = "input:not([type=checkbox], [type=radio], [type=file]), select, textarea";
const ACTS = "button, a, summary, input, select, audio, [role=tab], [tabindex='0']:not(.editing)";

function show() {
  list.replaceChildren(
    ...[...actions].flatMap(([key, [words]]) => {
      const term = document.createElement("dt");
      const kbd = document.createElement("kbd");
      kbd.textContent = NAMES[key] || key.toUpperCase();
      term.append(kbd);
      const meaning = document.createElement("dd");
      meaning.textContent = words;
      return [term, meaning];
    }),
  );
  dialog.showModal();
}

/** Makes keys do things: by key, its words and what it does. */
export function begin(told) {
  for (const [key, action] of Object.entries(told)) actions.set(key, action);
  actions.set("?", ["this list", show]);
  document.getElementById("help").addEventListener("click", show);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = actions.get(key);
    if (!action || event.target.matches(WRITES)) return;
    // These have a meaning of their own where something that acts has the focus.
    if (key in NAMES && event.target.matches(ACTS)) return;
    event.preventDefault();
    action[1]();
  });
}
