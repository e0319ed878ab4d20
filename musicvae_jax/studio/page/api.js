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

/** What the studio reads in a music file. */
export async function readMusic(content, name) {
  const path = `/api/read?name=${encodeURIComponent(name)}`;
  return (await ask(path, { method: "POST", body: content })).json();
}

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
