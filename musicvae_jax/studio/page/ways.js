// How the bridge goes: one way, and others to compare it with.

const radios = [...document.querySelectorAll("#ways input")];
const boxes = [...document.querySelectorAll("#compare input")];
const all = document.getElementById("compare-all");

const chosen = () => radios.find((radio) => radio.checked).value;

function mark() {
  const way = chosen();
  for (const box of boxes) {
    const isChosen = box.value === way;
    if (isChosen || box.disabled) box.checked = isChosen;
    box.disabled = isChosen;
  }
}

/** The strategies that are asked for, as the flag takes them. */
export function strategies() {
  const names = boxes.filter((box) => box.checked).map((box) => box.value);
  return names.length === boxes.length ? "all" : names.join();
}

/** Chooses strategies; the first of them is the way. */
export function choose(text) {
  const names = text === "all" ? boxes.map((box) => box.value) : text.split(",");
  const way = names.includes(chosen()) ? chosen() : names[0];
  const radio = radios.find((one) => one.value === way);
  if (!radio) return;
  radio.checked = true;
  for (const box of boxes) box.checked = names.includes(box.value);
  mark();
}

/** Whether another seed gives another bridge by itself. */
export const isDrawn = () => ["composed", "crossfade"].includes(chosen());

for (const radio of radios) radio.addEventListener("change", mark);
all.addEventListener("click", () => choose("all"));
mark();
