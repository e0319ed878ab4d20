// Melodies A and B, corrected by hand: what was edited becomes a file of its own.

import { fileOf, midiOf, readMusic } from "./api.js";
import { Editor, newPast } from "./editor.js";
import { areEqual } from "./notes.js";
import { perBar } from "./roll.js";

const WAIT_MS = 400; // after a change, before the file is made
const cards = []; // by side

/** How many bars notes fill. */
const barsOf = (notes, view) =>
  Math.ceil(Math.max(0, ...notes.map(([, , end]) => end)) / perBar(view));

/** A melody with other notes: the MIDI file of them as the studio reads it, or what it was. */
async function edited(input, notes) {
  const original = input.original || input;
  const { view, melody: before } = original;
  if (areEqual(notes, view.notes)) return original;
  // A bar of 9/8 has steps that take no time, which are not shown.
  const [shown, all] = [perBar(view), before.steps_per_bar || 16];
  const step = (at) => all * Math.floor(at / shown) + (at % shown);
  const name = `${original.name.replace(/\.[^./]*$/, "")}_edited.mid`;
  const melody = {
    ...before,
    notes: notes.map(([pitch, start, end]) => [pitch, step(start), step(end)]),
    num_steps: Math.max(before.num_steps, all * barsOf(notes, view)),
  };
  // A file in 4/4 says enough; another grid is told, or other notes could make it another one.
  const reading = before.grid && before.grid !== "4/4" ? { grid: before.grid } : {};
  return { ...(await readMusic(await midiOf({ name, melody }), name, reading)), original };
}

function settle(card) {
  clearTimeout(card.timer);
  const { notes } = card;
  if (!notes) return card.settling;
  card.notes = null;
  // One after the other, so that the last one is what stays.
  card.settling = (card.settling || Promise.resolve()).then(() =>
    card.take(() => edited(card.at(), notes)),
  );
  return card.settling;
}

/** Waits until all that was edited has been read. */
export const settled = () => Promise.all(cards.map(settle));

const regions = (view) => [[0, perBar(view) * view.bars]];

function start(card, side) {
  const { view, name } = card.at();
  card.past ||= newPast();
  card.editor = new Editor(card.place.querySelector(".small .roll"), {
    ...{ view, side: side % 2, regions: regions(view), label: name, past: card.past },
    change: (notes) => {
      clearTimeout(card.timer);
      card.notes = notes;
      card.timer = setTimeout(() => settle(card), WAIT_MS);
    },
    done: () => {
      close(card);
      card.button.focus();
    },
  });
  card.button.setAttribute("aria-pressed", "true");
}

async function close(card) {
  if (!card.editor) return;
  card.editor.close();
  card.editor = null;
  card.button.setAttribute("aria-pressed", "false");
  card.redraw();
  await settle(card);
}

/** Leaves off, because another melody is chosen. */
export function stop(side) {
  const card = cards[side];
  card.notes = card.past = null;
  close(card);
}

/** Shows what there is of a melody in its editor, if that is open, and its file if it was edited. */
export function show(side, input) {
  const card = cards[side];
  const link = card.place.querySelector(".get");
  if (!link) return false; // nothing of it is edited
  link.hidden = !input.original || !input.file;
  URL.revokeObjectURL(link.href);
  if (!link.hidden) {
    link.href = URL.createObjectURL(fileOf(input));
    link.download = input.name;
  }
  if (!card.notes) card.editor?.refresh(input.view, regions(input.view));
  return Boolean(card.editor);
}

/**
 * Makes the notes of a card to be edited.
 *
 * `told` has what gives the melody (`at`), takes another one (`take`) and draws it (`redraw`).
 */
export function begin(side, place, told) {
  const button = place.querySelector(".edit");
  const card = (cards[side] = { ...told, place, button });
  button?.addEventListener("click", () => (card.editor ? close(card) : start(card, side)));
}
