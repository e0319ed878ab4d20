// MIDI files to songs and melodies, as `musicvae_jax/midi` reads them, but for words, and for beats
// in files that have none.

import { barOne } from "./bar_lines.js";
import { likeliest } from "./melody_track.js";
import { HIGHEST, LOWEST, STEPS_PER_BAR } from "./notes.js";
import { melodic } from "./top_line.js";

/** What is wrong with a file, in words. */
export class FileProblem extends Error {}

const DATA_BYTES = { 8: 2, 9: 2, 10: 2, 11: 2, 12: 1, 13: 1, 14: 2 };
const DRUM_CHANNEL = 9;
const NEAR = 1e-6;
const MIN_NOTES = 4;
// As the package has them: more is no song, and takes long.
const [MOST_NOTES, MOST_QUARTERS] = [100_000, 40_000];
// Meters whose bars, one or two at a time, are 16 sixteenths.
const METERS = ["4/4", "2/2", "2/4", "4/8", "8/8"];
const QUARTERS_PER_BAR = 4;
const OURS = "\x7dMusicVAE-JAX"; // in files that the package has written, whose bars are right

const text = (bytes) => new TextDecoder("latin1").decode(bytes).trim();

/** Reads numbers of one or more bytes from an array, from one place on. */
class Reader {
  constructor(bytes, place = 0, end = bytes.length) {
    Object.assign(this, { bytes, place, end });
  }

  byte() {
    if (this.place >= this.end) throw new FileProblem("it is cut off");
    return this.bytes[this.place++];
  }

  number(bytes) {
    let value = 0;
    for (let index = 0; index < bytes; index += 1) value = value * 256 + this.byte();
    return value;
  }

  /** A number of seven bits a byte. */
  variable() {
    let value = 0;
    for (;;) {
      const byte = this.byte();
      value = value * 128 + (byte & 127);
      if (byte < 128) return value;
    }
  }

  take(count) {
    if (this.place + count > this.end) throw new FileProblem("it is cut off");
    this.place += count;
    return this.bytes.subarray(this.place - count, this.place);
  }
}

function chunks(bytes) {
  const file = new Reader(bytes);
  if (text(file.take(4)) !== "MThd") throw new FileProblem("it is not a MIDI file");
  const header = new Reader(file.take(file.number(4)));
  header.number(4);
  const division = header.number(2);
  if (!division || division & 0x8000) throw new FileProblem("it counts seconds, not beats");
  const tracks = [];
  while (file.place + 8 <= bytes.length) {
    const kind = text(file.take(4));
    const size = file.number(4);
    const end = Math.min(file.place + size, bytes.length);
    if (kind === "MTrk") tracks.push(new Reader(bytes, file.place, end));
    file.place = end;
  }
  return { division, tracks };
}

/** What a track says of the whole song, its name, and its notes by instrument, in ticks. */
function readTrack(reader, told) {
  const parts = new Map(); // by channel and program
  const programs = new Array(16).fill(0);
  const sounding = new Map(); // by channel and pitch
  let [tick, status, name] = [0, 0, ""];
  while (reader.place < reader.end) {
    tick += reader.variable();
    if (reader.bytes[reader.place] >= 128) status = reader.byte();
    if (status >= 0xf0) {
      const kind = status === 0xff ? reader.byte() : null;
      const data = reader.take(reader.variable());
      if (kind === 0x2f) break;
      if (kind === 0x03 && !name) name = text(data);
      if (kind === 0x51) told.tempos.push([tick, 60e6 / new Reader(data).number(3)]);
      if (kind === 0x58) told.meters.push([tick, data[0], 2 ** data[1]]);
      status = 0;
      continue;
    }
    const [kind, channel] = [status >> 4, status & 15];
    if (!(kind in DATA_BYTES)) throw new FileProblem("it is damaged");
    const [first, second] = reader.take(DATA_BYTES[kind]);
    if (kind === 12) programs[channel] = first;
    if (kind !== 8 && kind !== 9) continue;
    const waiting = sounding.get(channel * 128 + first) || [];
    sounding.set(channel * 128 + first, waiting);
    if (kind === 9 && second) {
      const key = channel * 128 + programs[channel];
      if (!parts.has(key)) parts.set(key, []);
      const note = [first, tick, null];
      parts.get(key).push(note);
      waiting.push(note);
    } else if (waiting.length) {
      waiting.shift()[2] = tick;
    }
  }
  return { name, parts };
}

/**
 * The song in a file: positions are in quarter notes.
 *
 * Its tracks are { number, name, program, is_drum, notes: [[pitch, start, end], ...] }.
 */
export function readSong(bytes) {
  const { division, tracks } = chunks(bytes);
  const told = { tempos: [], meters: [] };
  const song = { tracks: [], isOurs: text(bytes.subarray(0, 2000)).includes(OURS) };
  for (const reader of tracks) {
    const { name, parts } = readTrack(reader, told);
    for (const [key, notes] of [...parts].sort(([one], [two]) => one - two)) {
      const ended = notes.filter(([, , end]) => end !== null);
      const placed = ended.map(([pitch, start, end]) => {
        const from = start / division;
        return [pitch, from, end > start ? end / division : from + 0.25];
      });
      placed.sort((one, two) => one[1] - two[1] || one[0] - two[0]);
      const is_drum = key >> 7 === DRUM_CHANNEL;
      const number = song.tracks.length + 1;
      if (placed.length) song.tracks.push({ number, name, program: key & 127, is_drum, notes: placed });
    }
  }
  const sorted = (changes, first) => {
    const quarters = changes.map(([tick, ...values]) => [tick / division, ...values]);
    quarters.sort((one, two) => one[0] - two[0]);
    return quarters.length && quarters[0][0] < NEAR ? quarters : [first, ...quarters];
  };
  song.meters = sorted(told.meters, [0, 4, 4]);
  song.tempos = sorted(told.tempos.filter(([, bpm]) => Number.isFinite(bpm)), [0, 120]);
  song.quarters = Math.max(0, ...song.tracks.map(endOf));
  const count = song.tracks.reduce((sum, { notes }) => sum + notes.length, 0);
  if (count > MOST_NOTES) throw new FileProblem(`it has ${count} notes, more than are read`);
  if (song.quarters > MOST_QUARTERS) throw new FileProblem("it has notes years away");
  return song;
}

const endOf = ({ notes }) => notes.reduce((latest, [, , end]) => Math.max(latest, end), 0);

/** The longest stretch in meters that can be read: from where to where. */
function stretch(song) {
  let best = null;
  let last = null;
  song.meters.forEach(([start, above, below], index) => {
    const end = song.meters[index + 1]?.[0] ?? song.quarters;
    if (!METERS.includes(`${above}/${below}`) || end <= start) return;
    const goesOn = last && last.end === start && (start - last.start) % QUARTERS_PER_BAR < NEAR;
    last = goesOn ? { ...last, end } : { start, end };
    if (!best || last.end - last.start > best.end - best.start) best = last;
  });
  if (best) return best;
  const found = [...new Set(song.meters.map(([, above, below]) => `${above}/${below}`))];
  throw new FileProblem(`it is in ${found.join(", ")}; the page knows ${METERS.join(", ")}`);
}

/** The notes of a track without what hangs over its last bar line, as played notes do. */
function withWholeEnd(notes, first) {
  const end = endOf({ notes });
  const line = first + QUARTERS_PER_BAR * Math.floor((end - first + 0.125) / QUARTERS_PER_BAR);
  const isLate = ([, start]) => start >= line - 0.125 - NEAR; // it would be moved to the line
  const late = notes.filter(isLate);
  const goesOn = end >= line + 0.5 || late.some(([, , to]) => to > line + NEAR);
  if (goesOn || (end <= line && !late.length)) return notes;
  return notes.map((note) => [note[0], isLate(note) ? line - 0.25 : note[1], Math.min(note[2], line)]);
}

/** The top line of a track in a stretch, as notes in steps from its beginning. */
function topLine(played, { start, end }) {
  const step = (quarters) => Math.floor((quarters - start) * 4 + 0.5);
  const notes = played
    .filter(([, from]) => from >= start - NEAR && from < end - NEAR)
    .map(([pitch, from, to]) => [pitch, step(from), step(Math.min(to, end))]);
  notes.sort((one, two) => one[1] - two[1] || two[0] - one[0]);
  const top = notes.filter(([, from], index) => !index || from > notes[index - 1][1]);
  return top.map(([pitch, from, to], index) => {
    const next = top[index + 1]?.[1] ?? Infinity;
    return [pitch, from, Math.min(Math.max(to, from + 1), next)];
  });
}

/** Where a bar begins: as the reader is told, or as the file or its notes say. */
function firstBar(song, reading, rules) {
  if (reading.bar_one !== undefined) return Number(reading.bar_one);
  const areRead = song.meters.every(([start, above, below]) => {
    return METERS.includes(`${above}/${below}`) && start % QUARTERS_PER_BAR < NEAR;
  });
  return areRead && !song.isOurs ? barOne(song, rules.downbeats) : null;
}

function refusal(notes) {
  if (notes.length < MIN_NOTES) return `has ${notes.length} notes, ${MIN_NOTES} are needed`;
  const pitches = notes.map(([pitch]) => pitch);
  const [low, high] = [Math.min(...pitches), Math.max(...pitches)];
  return low < LOWEST || high > HIGHEST ? "has pitches outside of the piano" : "";
}

/**
 * The melody of a song, in which track it is, and where its first bar begins in quarter notes.
 *
 * `reading.track` is the number of the track, and `reading.bar_one` where a bar begins; both may
 * be left out. `rules` are the package's, with which bars and the melody are found.
 */
export function melodyOf(song, reading, rules) {
  const given = reading.track && song.tracks.filter(({ number }) => number === Number(reading.track));
  const tracks = given || likeliest(song.tracks, rules);
  if (!tracks.length) throw new FileProblem("it has no notes, or drums alone");
  const span = stretch(song);
  const bar = firstBar(song, reading, rules);
  if (bar !== null) {
    const within = bar % QUARTERS_PER_BAR;
    span.start = within > NEAR ? within - QUARTERS_PER_BAR : 0;
  }
  let problem = "";
  for (const track of tracks) {
    const line = melodic(track.notes);
    const whole = song.isOurs ? line : withWholeEnd(line, span.start);
    const notes = topLine(whole, span);
    const reason = refusal(notes);
    if (!reason) return { ...trimmed(notes, track, song, span), track: track.number };
    problem ||= `track ${track.number} ${reason}`;
  }
  throw new FileProblem(problem);
}

/** Without the bars before the first note. */
function trimmed(notes, track, song, { start }) {
  const blank = Math.floor(notes[0][1] / STEPS_PER_BAR) * STEPS_PER_BAR;
  const moved = notes.map(([pitch, from, to]) => [pitch, from - blank, to - blank]);
  const first = start + notes[0][1] / 4;
  const tempo = song.tempos.findLast(([quarter]) => quarter <= first + NEAR) || song.tempos[0];
  const melody = {
    notes: moved,
    num_steps: Math.ceil(moved.at(-1)[2] / STEPS_PER_BAR) * STEPS_PER_BAR,
    tempo_bpm: Math.round(100 * tempo[1]) / 100,
    program: track.program,
  };
  return { melody, origin: start + blank / 4 };
}
