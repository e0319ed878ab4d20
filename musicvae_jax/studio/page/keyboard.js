// A melody by a MIDI instrument: played here, read by the studio as any other file.

import { Problem } from "./api.js";

const TICKS_PER_QUARTER = 480;
const TICKS_PER_MS = TICKS_PER_QUARTER / 500; // at 120 bpm, which a file has that says nothing
const MOST_SEC = 300;
const OFF = 0x80;
const ON = 0x90;
let stopPlaying = null;

/** Whether this browser knows of MIDI instruments. */
export const canRecord = () => Boolean(globalThis.navigator.requestMIDIAccess);

/** Whether something is being played. */
export const isRecording = () => stopPlaying !== null;

/** Ends the playing. */
export const stop = () => stopPlaying?.();

async function instruments() {
  let access;
  try {
    access = await navigator.requestMIDIAccess();
  } catch (error) {
    throw new Problem(`MIDI instruments cannot be used (${error.message}).`);
  }
  const found = [...access.inputs.values()];
  if (!found.length) throw new Problem("No MIDI instrument is connected.");
  return found;
}

/**
 * Listens to all instruments until `stop` is called, for five minutes at most.
 *
 * @param {(seconds: number) => void} tell of the seconds passed, each of them
 * @returns {Promise<File>} a MIDI file
 */
export async function record(tell) {
  const played = []; // [milliseconds, status, pitch, velocity]
  const listening = new AbortController();
  for (const input of await instruments()) {
    const hear = ({ data, timeStamp }) => {
      const kind = data[0] & 0xf0;
      if (kind === ON || kind === OFF) played.push([timeStamp, kind, data[1], data[2]]);
    };
    input.addEventListener("midimessage", hear, { signal: listening.signal });
    await input.open?.();
  }
  let seconds = 0;
  const clock = setInterval(() => {
    seconds += 1;
    tell(seconds);
    if (seconds >= MOST_SEC) stopPlaying();
  }, 1000);
  const ended = new Promise((resolve) => (stopPlaying = resolve));
  tell(0);
  try {
    await ended;
  } finally {
    clearInterval(clock);
    listening.abort();
    stopPlaying = null;
  }
  if (!played.length) throw new Problem("No note was played.");
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "");
  return new File([midiFile(played)], `keyboard_${time}.mid`, { type: "audio/midi" });
}

/** A number as MIDI files write times: seven bits a byte, the last one without the eighth. */
function varying(number) {
  const bytes = [number & 0x7f];
  for (let rest = number >> 7; rest; rest >>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}

/** The bytes of a MIDI file of one track, which begins with the first of `played`. */
export function midiFile(played) {
  const ordered = [...played].sort(([one], [two]) => one - two);
  const tick = ([ms]) => Math.round((ms - ordered[0][0]) * TICKS_PER_MS);
  const events = ordered.flatMap((message, index) => {
    const before = index ? tick(ordered[index - 1]) : 0;
    return [...varying(tick(message) - before), ...message.slice(1)];
  });
  const track = [...events, 0, 0xff, 0x2f, 0];
  const long = (number) => [24, 16, 8, 0].map((bits) => (number >> bits) & 0xff);
  const text = (word) => [...word].map((letter) => letter.charCodeAt(0));
  const head = [0, 0, 0, 1, TICKS_PER_QUARTER >> 8, TICKS_PER_QUARTER & 0xff];
  return new Uint8Array([
    ...[...text("MThd"), ...long(6), ...head],
    ...[...text("MTrk"), ...long(track.length), ...track],
  ]);
}
