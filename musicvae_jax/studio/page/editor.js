// Editing notes on a piano roll, with the mouse, a finger or the keyboard.

import * as lines from "./notes.js";
import { drawRoll, perBar } from "./roll.js";
import { hertz, tone } from "./tones.js";

const MARGIN = 4; // semitones above and below the notes
const USUAL_LENGTH = 2; // of a new note, in steps
const HELP =
  "Drag a note to move it, its right end to make it longer; click where there is none to add one. " +
  "Keys: ← → choose a note, ↑ ↓ move it (with Shift an octave), Shift ← → move it in time, " +
  "+ and − change its length, Enter adds one behind it, Delete deletes it, Ctrl Z undoes.";
let count = 0;

/** What was changed on a roll, so that an editor that is opened again can undo it. */
export const newPast = () => ({ undo: [], redo: [] });

export class Editor {
  /**
   * Opens an editor on the roll in `place`.
   *
   * `told` has the `view`, its `label` and `side` (1 for the colour of melody B), the `regions`
   * that may be changed, the `past`, and what is called with the notes after a `change`, and when
   * it is `done`.
   */
  constructor(place, told) {
    Object.assign(this, { side: 0, ...told, place });
    this.selected = null;
    this.drag = null;
    this.length = USUAL_LENGTH;
    this.listening = new AbortController();
    this.#addTools();
    this.#listen();
    place.classList.add("editing");
    place.tabIndex = 0;
    place.setAttribute("role", "application");
    place.setAttribute("aria-label", `Notes of ${this.label}`);
    place.setAttribute("aria-describedby", this.help.id);
    this.refresh(this.view);
    const scroll = place.closest(".scroll");
    const [[from] = [0]] = this.regions;
    scroll.scrollLeft = (from / (perBar(this.view) * this.view.bars)) * place.clientWidth - 24;
    this.#select(this.view.notes.findIndex(([, start]) => lines.regionOf(this.regions, start)));
    place.focus({ preventScroll: true });
  }

  close() {
    this.listening.abort();
    this.tools.remove();
    for (const name of ["tabindex", "role", "aria-label", "aria-describedby"]) {
      this.place.removeAttribute(name);
    }
    this.place.classList.remove("editing");
  }

  /** Shows a view, which may be what became of the last change, to be edited in `regions`. */
  refresh(view, regions = this.regions) {
    this.regions = regions;
    this.view = { ...view, range: this.view.range };
    if (!view.notes[this.selected]) this.selected = null;
    this.#draw();
  }

  #draw() {
    const pitches = this.view.notes.map(([pitch]) => pitch);
    const [low, high] = this.view.range || [127, 0];
    this.view.range = [
      Math.min(low, ...pitches.map((pitch) => pitch - MARGIN), 60),
      Math.max(high, ...pitches.map((pitch) => pitch + MARGIN), 72),
    ];
    drawRoll(this.place, this.view, `${this.label}: ${pitches.length} notes`, this.side);
    this.place.querySelectorAll("svg rect").forEach((rect, index) => {
      rect.classList.toggle("selected", index === this.selected);
      rect.classList.toggle("fixed", !lines.regionOf(this.regions, this.view.notes[index][1]));
    });
    this.undoButton.disabled = !this.past.undo.length;
    this.redoButton.disabled = !this.past.redo.length;
    this.deleteButton.disabled = this.selected === null;
  }

  #button(words, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", act);
    this.row.append(button);
    return button;
  }

  #addTools() {
    this.tools = document.createElement("div");
    this.tools.className = "note-tools";
    this.row = document.createElement("div");
    this.row.className = "row";
    this.row.setAttribute("role", "group");
    this.row.setAttribute("aria-label", `Edit ${this.label}`);
    this.undoButton = this.#button("Undo", () => this.undo());
    this.redoButton = this.#button("Redo", () => this.redo());
    this.#button("Add a note", () => this.#addAfter());
    this.deleteButton = this.#button("Delete the note", () => this.#delete());
    this.#button("Done", () => this.done());
    this.status = document.createElement("span");
    this.status.setAttribute("role", "status");
    this.row.append(this.status);
    this.help = document.createElement("p");
    this.help.className = "facts";
    this.help.id = `editor-${(count += 1)}`;
    this.help.textContent = HELP;
    this.tools.append(this.row, this.help);
    this.place.closest(".scroll").after(this.tools);
  }

  #select(index, isHeard = false) {
    this.selected = index < 0 ? null : index;
    const note = this.view.notes[this.selected];
    this.status.textContent = note ? lines.words(note, this.view) : "No note is chosen.";
    if (note && isHeard) tone(hertz(note[0]), 0.3, 0.2);
    this.#draw();
  }

  /** Takes changed notes; `made` is null if there is nothing to be done. */
  #commit(made) {
    if (!made || lines.areEqual(made.notes, this.view.notes)) return;
    this.past.undo.push(this.view.notes);
    this.past.redo = [];
    this.#take(made.notes);
    this.#select(made.index, true);
  }

  #take(notes) {
    this.view = { ...this.view, notes };
    this.change(notes);
  }

  #travel(from, to) {
    const notes = from.pop();
    if (!notes) return;
    to.push(this.view.notes);
    this.#take(notes);
    this.#select(notes[this.selected] ? this.selected : -1);
  }

  undo() {
    this.#travel(this.past.undo, this.past.redo);
  }

  redo() {
    this.#travel(this.past.redo, this.past.undo);
  }

  #delete() {
    if (this.selected === null) return;
    const { selected } = this;
    const notes = lines.without(this.view.notes, selected);
    const isThere = notes[selected] && lines.regionOf(this.regions, notes[selected][1]);
    this.#commit({ notes, index: isThere ? selected : this.#firstOf(notes) });
  }

  #firstOf(notes) {
    return notes.findIndex(([, start]) => lines.regionOf(this.regions, start));
  }

  #addAfter() {
    const { notes } = this.view;
    if (this.selected !== null) this.#commit(lines.addedAfter(notes, this.selected, this.regions));
    else if (this.#firstOf(notes) < 0) {
      const [[from]] = this.regions;
      this.#commit(lines.added(notes, 67, from, this.length, this.regions));
    }
  }

  /** Chooses the note after (1) or before (-1) the chosen one. */
  #step(by) {
    const { notes } = this.view;
    const places = notes.flatMap((note, index) =>
      lines.regionOf(this.regions, note[1]) ? [index] : [],
    );
    const at = places.indexOf(this.selected);
    const next = places[at < 0 ? 0 : Math.min(Math.max(at + by, 0), places.length - 1)];
    if (next === undefined) return;
    this.#select(next, true);
    const scroll = this.place.closest(".scroll");
    const x = (notes[next][1] / (perBar(this.view) * this.view.bars)) * this.place.clientWidth;
    if (x < scroll.scrollLeft || x > scroll.scrollLeft + scroll.clientWidth - 48) {
      scroll.scrollLeft = x - 48;
    }
  }

  #key(event) {
    const { notes } = this.view;
    const isNote = this.selected !== null;
    const move = (semitones, steps) => () =>
      isNote && this.#commit(lines.moved(notes, this.selected, semitones, steps, this.regions));
    const stretch = (steps) => () =>
      isNote && this.#commit(lines.stretched(notes, this.selected, steps, this.regions));
    const { shiftKey: shift, key } = event;
    const acts = {
      ArrowLeft: shift ? move(0, -1) : () => this.#step(-1),
      ArrowRight: shift ? move(0, 1) : () => this.#step(1),
      ArrowUp: move(shift ? 12 : 1, 0),
      ArrowDown: move(shift ? -12 : -1, 0),
      "+": stretch(1),
      "=": stretch(1),
      "-": stretch(-1),
      Enter: () => this.#addAfter(),
      Insert: () => this.#addAfter(),
      Delete: () => this.#delete(),
      Backspace: () => this.#delete(),
      Escape: () => this.done(),
    };
    const act = Object.hasOwn(acts, key) && acts[key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  #undoKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input, select")) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) this.undo();
    else if (key === "y" || key === "z") this.redo();
    else return;
    event.preventDefault();
  }

  /** Where the pointer is: the step, the pitch, the note there and whether at its right end. */
  #at(event) {
    const box = this.place.getBoundingClientRect();
    const [low, high] = this.view.range;
    const steps = perBar(this.view) * this.view.bars;
    const x = ((event.clientX - box.left) / box.width) * steps;
    const row = ((event.clientY - box.top) / box.height) * (high - low + 3);
    const pitch = high + 1 - Math.floor(row);
    const index = this.view.notes.findIndex(
      ([tone, start, end]) => tone === pitch && start <= x && x < end,
    );
    const [, start, end] = this.view.notes[index] || [0, 0, 0];
    const edge = Math.min((8 * steps) / box.width, (end - start) / 3);
    return { x, row, step: Math.floor(x), pitch, index, isEnd: index >= 0 && end - x < edge };
  }

  #down(event) {
    const at = this.#at(event);
    if (event.button || !lines.regionOf(this.regions, at.step)) {
      this.status.textContent = "Only what was made can be changed here.";
      return;
    }
    event.preventDefault();
    this.place.focus({ preventScroll: true });
    this.place.setPointerCapture(event.pointerId);
    const isOwn = at.index >= 0 && lines.regionOf(this.regions, this.view.notes[at.index][1]);
    this.drag = { from: at, notes: this.view.notes, made: null };
    if (isOwn) this.#select(at.index, true);
    else this.drag.from.index = -1;
  }

  #move(event) {
    const { drag } = this;
    if (!drag || drag.from.index < 0) return;
    const at = this.#at(event);
    const steps = Math.round(at.x - drag.from.x);
    const { notes, from } = drag;
    drag.made = from.isEnd
      ? lines.stretched(notes, from.index, steps, this.regions)
      : lines.moved(notes, from.index, Math.round(from.row - at.row), steps, this.regions);
    this.view = { ...this.view, notes: drag.made.notes };
    this.#select(drag.made.index);
  }

  #up() {
    const { drag } = this;
    if (!drag) return;
    this.drag = null;
    this.view = { ...this.view, notes: drag.notes };
    if (drag.from.index >= 0) {
      const [, start, end] = (drag.made?.notes || drag.notes)[drag.made?.index ?? drag.from.index];
      this.length = end - start;
      this.#commit(drag.made);
    } else {
      const { pitch, step } = drag.from;
      this.#commit(lines.added(drag.notes, pitch, step, this.length, this.regions));
    }
  }

  #cancel() {
    if (this.drag) this.view = { ...this.view, notes: this.drag.notes };
    this.drag = null;
    this.#draw();
  }

  #listen() {
    const { signal } = this.listening;
    const hear = (name, act) =>
      this.place.addEventListener(name, act.bind(this), { signal });
    hear("keydown", this.#key);
    hear("pointerdown", this.#down);
    hear("pointermove", this.#move);
    hear("pointerup", this.#up);
    hear("pointercancel", this.#cancel);
    addEventListener("keydown", (event) => this.#undoKey(event), { signal });
  }
}
