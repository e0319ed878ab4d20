// What the page asks of the studio.

/** Something to tell the user, in words; `status` is that of the answer, if there was one. */
export class Problem extends Error {
  constructor(words, status = 0) {
    super(words);
    this.status = status;
  }
}

// Pages take turns, so the studio has to tell this one from others at the same address.
const PAGE = String(crypto.getRandomValues(new Uint32Array(1))[0]);

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { "x-page": PAGE } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The studio does not answer. Is it still running?");
  }
  if (response.ok) return response;
  let words = `The studio answered ${response.status}.`;
  try {
    words = (await response.json()).error;
  } catch {
    // Not from the studio itself; the number says what is known.
  }
  throw new Problem(words, response.status);
}

const post = (path, content, signal) =>
  ask(path, { method: "POST", body: JSON.stringify(content), signal });

/** The answer to a GET, parsed. */
export const getJson = async (path) => (await ask(path)).json();

/** A file of the studio's. */
export const getBlob = async (path) => (await ask(path)).blob();

/** A melody, as sound. */
export const listen = async (input) => (await post("/api/listen", { inputs: [input] })).blob();

/** A melody, as a MIDI file. */
export const midiOf = async (input) => (await post("/api/melody", { inputs: [input] })).blob();

const MOST_WHOLE_BYTES = Number(document.body.dataset.mostWholeBytes);

const base64 = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Problem("The file cannot be read."));
    reader.readAsDataURL(blob);
  });

/**
 * What the studio reads in a music file, and the file itself for when its song is to be played.
 *
 * `reading` is what the user tells of it: `track` and `bar_one`, as text.
 */
export async function readMusic(content, name, reading = {}) {
  const path = `/api/read?${new URLSearchParams({ name, ...reading })}`;
  const read = await (await ask(path, { method: "POST", body: content })).json();
  const file = content.size <= MOST_WHOLE_BYTES ? await base64(content) : null;
  // On which grid it was read is told again, for it was not the likeliest one.
  return { ...read, reading: { ...reading, ...(read.grid && { grid: read.grid }) }, file };
}

/** The file of an input. */
export const fileOf = ({ file }) =>
  new Blob([Uint8Array.from(atob(file), (character) => character.charCodeAt(0))]);

/** Asks for work; `hear` is told of its events, and the result is returned. */
export async function work(path, content, hear, signal) {
  const response = await post(path, content, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Problem("The studio went away before it had finished.");
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if ("error" in event) throw new Problem(event.error);
      if ("result" in event) return event.result;
      hear(event);
    }
  }
}
