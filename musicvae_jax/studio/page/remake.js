// Results of the studio: their files, and how they are made again when the studio has them no more.

import { work } from "./api.js";

let hear = () => {};

/** Calls `told` with an entry of the history that was made again. */
export const onRemade = (told) => (hear = told);

/** Where a file of the studio's is. */
export const path = (of, index, suffix) => `/api/result/${of.made.id}/${index}.${suffix}`;

/** The stem of the files of an item, by which its edits are known. */
export const stemOf = (view) => view.name.replace(/\.mid$/, "");

async function make(of) {
  let asked, made;
  do {
    asked = of.version || 0;
    made = await work(of.path, of.content, () => {});
  } while (asked !== (of.version || 0)); // it was edited meanwhile
  const stale = of.stale || [];
  // What is the same stays the same object, by which its sound is known.
  const items = of.made.items.map((view, index) =>
    stale.includes(stemOf(view)) ? made.items[index] : view,
  );
  Object.assign(of, { made: { ...made, items }, isFresh: true, stale: [] });
  hear(of);
}

/** Makes a result again; the same request gives the same. */
export function remake(of) {
  of.remaking ||= make(of).finally(() => (of.remaking = null));
  return of.remaking;
}

/** Does `act` with a result that the studio has. */
export async function fresh(of, act) {
  if (!of.isFresh) await remake(of);
  try {
    return await act();
  } catch (error) {
    if (error.status !== 410) throw error;
    await remake(of);
    return act();
  }
}

/** What of an entry belongs into a session file. */
export const lasting = ({ isFresh, version, remaking, pasts, ...entry }) => entry;
