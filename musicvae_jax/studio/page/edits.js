// Notes of a result, edited by hand: they are asked for with the result itself.

import { Editor, newPast } from "./editor.js";
import { areEqual } from "./notes.js";
import { remake, stemOf } from "./remake.js";
import { perBar } from "./roll.js";

const WAIT_MS = 400; // after a change, before what was changed is made
let timer = null;

/**
 * Whether the notes of an item can be edited: the model, not the user, has made them, and all of
 * them are in one meter.
 */
export const canEdit = (of, view) =>
  of.path === "/api/make" && view.grid !== "" && !stemOf(view).startsWith("original_");

/** Whether they were. */
export const isEdited = (of, view) => Boolean(of.content.edits?.[stemOf(view)]);

/** The bridges, or all of it if there is none. */
function regions(view) {
  const bridges = view.sections.filter((section) => section.is_bridge);
  return (bridges.length ? bridges : view.sections).map((section) => [
    perBar(view) * section.start_bar,
    perBar(view) * (section.start_bar + section.bars),
  ]);
}

function take(of, index, notes, failed) {
  const { score, scores, facts, curves, ...view } = of.made.items[index];
  const stem = stemOf(view);
  of.originals = { [stem]: view.notes, ...of.originals };
  const first = perBar(view) * (view.first_bar || 0); // of the line, in its song
  const line = {
    notes: notes.map(([pitch, start, end]) => [pitch, start - first, end - first]),
    num_steps: perBar(view) * (view.line_bars ?? view.bars),
    grid: view.grid,
  };
  const { [stem]: before, ...others } = of.content.edits || {};
  const isAsMade = areEqual(notes, of.originals[stem]);
  of.content = { ...of.content, edits: isAsMade ? others : { ...others, [stem]: line } };
  of.made.items[index] = { ...view, notes };
  of.isFresh = false;
  of.version = (of.version || 0) + 1;
  of.stale = [...new Set([...(of.stale || []), stem])];
  clearTimeout(timer);
  timer = setTimeout(() => remake(of).catch(failed), WAIT_MS);
}

/**
 * Opens an editor of an item of an entry on the roll in `place`.
 *
 * `told` has what is called after a `change`, when it is `done`, and with what `failed`.
 */
export function open(place, of, index, { change, done, failed }) {
  const view = of.made.items[index];
  of.pasts ||= {};
  const past = (of.pasts[stemOf(view)] ||= newPast());
  return new Editor(place, {
    ...{ view, regions: regions(view), label: view.title, past, done },
    change: (notes) => {
      take(of, index, notes, failed);
      change();
    },
  });
}
