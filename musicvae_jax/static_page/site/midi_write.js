// A piece as a MIDI file: byte for byte what `musicvae_jax/midi/encode.py` writes of it.

import { STEPS_PER_BAR } from "./notes.js";
import { microseconds, voicesOf } from "./piece.js";

const TICKS_PER_QUARTER = 480;
const TICKS_PER_STEP = TICKS_PER_QUARTER / 4;
const DRUM_CHANNEL = 9;
const OURS = "\x7dMusicVAE-JAX"; // by which the package knows that the bars are right

const utf8 = (text) => [...new TextEncoder().encode(text)];
const big = (value, bytes) =>
  Array.from({ length: bytes }, (_, place) => Math.floor(value / 256 ** (bytes - 1 - place)) % 256);

/** A number of seven bits a byte. */
function variable(value) {
  const bytes = [value % 128];
  for (let rest = value >> 7; rest; rest >>= 7) bytes.unshift((rest % 128) + 128);
  return bytes;
}

const meta = (kind, data) => [0xff, kind, ...variable(data.length), ...data];

/** A track of [tick, bytes] events, which ends at tick `end`. */
function track(events, end) {
  const bytes = [];
  let [now, status] = [0, 0];
  const ordered = [...events].sort((one, two) => one[0] - two[0]);
  for (const [tick, message] of [...ordered, [end, meta(0x2f, [])]]) {
    const runs = message[0] === status && status < 0xf0;
    bytes.push(...variable(tick - now), ...(runs ? message.slice(1) : message));
    status = message[0] < 0xf0 ? message[0] : 0;
    now = tick;
  }
  return [...utf8("MTrk"), ...big(bytes.length, 4), ...bytes];
}

function conductor(piece, name, end) {
  const events = [
    [0, meta(0x7f, utf8(OURS))],
    [0, meta(0x03, utf8(name))],
    [0, meta(0x58, [4, 2, 24, 8])],
  ];
  for (const [step, bpm] of piece.tempos) {
    events.push([step * TICKS_PER_STEP, meta(0x51, big(microseconds(bpm), 3))]);
  }
  for (const { label, title, start_bar } of piece.sections) {
    const marker = utf8(title ? `${label}: ${title}` : label);
    events.push([start_bar * STEPS_PER_BAR * TICKS_PER_STEP, meta(0x06, marker)]);
  }
  return track(events, end);
}

function voice([program, notes], channel, title, end) {
  const events = [[0, meta(0x03, utf8(title))], [0, [0xc0 + channel, program]]];
  for (const [pitch, start, stop, velocity] of notes) {
    events.push([start * TICKS_PER_STEP, [0x90 + channel, pitch, velocity]]);
    events.push([stop * TICKS_PER_STEP, [0x80 + channel, pitch, 0]]);
  }
  return track(events, end);
}

/** The bytes; `instruments` are the names of the programs. */
export function midiOf(piece, name, instruments) {
  const end = piece.bars * STEPS_PER_BAR * TICKS_PER_STEP;
  const voices = voicesOf(piece);
  const tracks = voices.map((one, index) => {
    const title = voices.length === 1 ? name : `${name}: ${instruments[one[0]]}`;
    return voice(one, index < DRUM_CHANNEL ? index : index + 1, title, end);
  });
  const header = [...big(6, 4), ...big(1, 2), ...big(tracks.length + 1, 2), ...big(TICKS_PER_QUARTER, 2)];
  const bytes = [...utf8("MThd"), ...header, ...conductor(piece, name, end)];
  return Uint8Array.from(tracks.reduce((all, one) => all.concat(one), bytes));
}
