// Which track of a song is its melody, by what `musicvae_jax/midi/analysis/melody_track.py` looks
// at, but for words; `rules` has the weights of that module, and its names of tracks.

import { eventsOf } from "./top_line.js";

const LEGATO = 0.15;
const BAR = 4;
const VOICE = 69; // where women and men sing on average, as written
const [BASSES, PADS, PERCUSSION] = [
  [[32, 39]],
  [[88, 103], [48, 51]],
  [[112, 127], [47, 47]],
];

const sum = (values) => values.reduce((total, value) => total + value, 0);
const share = (values) => (values.length ? sum(values.map(Number)) / values.length : 0);
const within = (value, low, high) => Math.min(Math.max(value, low), high);
const differences = (values) => values.slice(1).map((value, index) => value - values[index]);
const isAmong = (program, ranges) => ranges.some(([low, high]) => low <= program && program <= high);

/** As NumPy rounds: halves to the even neighbour. */
function rounded(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

/** The notes that begin together as one event. */
function eventsTogether({ notes }) {
  const eventOf = eventsOf(notes);
  const events = [];
  notes.forEach(([pitch, start, end], index) => {
    const event = (events[eventOf[index]] ||= {
      ...{ time: start, pitch, lowest: pitch, size: 0, end: events.at(-1)?.end ?? -Infinity },
    });
    event.pitch = Math.max(event.pitch, pitch);
    event.lowest = Math.min(event.lowest, pitch);
    event.size += 1;
    event.end = Math.max(event.end, end);
  });
  return events;
}

function percentiles(values) {
  const ordered = [...values].sort((one, two) => one - two);
  return [0.05, 0.5, 0.95].map((part) => ordered[Math.floor(part * (ordered.length - 1))]);
}

function median(values) {
  const ordered = [...values].sort((one, two) => one - two);
  const half = ordered.length >> 1;
  return ordered.length % 2 ? ordered[half] : (ordered[half - 1] + ordered[half]) / 2;
}

function entropy(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
  const shares = [...counts.values()].map((count) => count / values.length);
  return 0 - sum(shares.map((part) => part * Math.log2(part)));
}

const barsOf = (events) => new Set(events.map(({ time }) => Math.floor(time / BAR))).size;

/** The share of notes after which the line rests or holds, as a singer breathes. */
function breaths(events, gaps) {
  const longest = gaps.length ? Math.max(1.4, 1.9 * median(gaps)) : 0;
  const ends = gaps.filter((gap) => gap >= longest).length;
  const notes = events.length / (ends + 1);
  return within(Math.min((notes - 1) / 3, 2 - Math.log2(Math.max(notes, 1) / 8) / 2), 0, 1);
}

/** The share of bars with the rhythm of one of the two bars before. */
function loops(events) {
  const rhythms = new Map();
  for (const { time } of events) {
    const bar = Math.floor(time / BAR);
    rhythms.set(bar, (rhythms.get(bar) || 0) | (1 << rounded((time - bar * BAR) * 4)));
  }
  const bars = [...rhythms.keys()];
  if (bars.length < 3) return 0;
  const repeats = (index, back) =>
    index >= back &&
    bars[index] - bars[index - back] === back &&
    rhythms.get(bars[index]) === rhythms.get(bars[index - back]);
  return share(bars.slice(1).map((_, place) => repeats(place + 1, 1) || repeats(place + 1, 2)));
}

/** What a line is by itself. */
function ofLine(events, numBars) {
  const [times, pitches] = [events.map(({ time }) => time), events.map(({ pitch }) => pitch)];
  const gaps = differences(times);
  const leaps = differences(pitches).map(Math.abs).filter((_, index) => gaps[index] < BAR);
  const many = events.map(({ size }, index) => {
    const gap = gaps[index - 1];
    const overlaps = index && events[index - 1].end - times[index] > Math.max(LEGATO, 0.25 * gap);
    return size > 1 || Boolean(overlaps);
  });
  const [lowTop, middle, high] = percentiles(pitches);
  const low = Math.min(lowTop, percentiles(events.map(({ lowest }) => lowest))[0]);
  const sizes = events.map(({ size }) => size);
  const closeGaps = gaps.filter((gap) => gap < BAR).map((gap) => within(rounded(gap * 4), 0, 16));
  return {
    one_voice: 1 - share(many),
    chords: Math.min(sum(sizes) / sizes.length - 1, 3) / 3,
    bars: Math.min(barsOf(events) / numBars, 1),
    from_voice: Math.min(Math.abs(middle - VOICE) / 12, 3) ** 2,
    wide: within((high - low - 19) / 12, 0, 2),
    narrow: Math.max(9 - (high - low), 0) / 9,
    steps: share(leaps.map((leap) => leap <= 2)),
    leaps: share(leaps.map((leap) => leap > 7)),
    rhythms: entropy(closeGaps) / 3,
    pitches: entropy(pitches) / 3.5,
    loops: loops(events),
    slow: Math.max(2.5 - events.length / Math.max(barsOf(events), 1), 0) / 2.5,
    breaths: breaths(events, gaps),
  };
}

/** For each track, in how many of its quarter notes it has the highest note that begins there. */
function topShares(tracks) {
  const own = tracks.map(({ notes }) => {
    const quarters = new Map();
    for (const [pitch, start] of notes) {
      const quarter = Math.floor(start);
      quarters.set(quarter, Math.max(quarters.get(quarter) ?? 0, pitch));
    }
    return quarters;
  });
  const highest = new Map();
  for (const quarters of own) {
    for (const [quarter, pitch] of quarters) {
      highest.set(quarter, Math.max(highest.get(quarter) ?? 0, pitch));
    }
  }
  return own.map((quarters) =>
    share([...quarters].map(([quarter, pitch]) => pitch === highest.get(quarter))),
  );
}

/** How much each track looks like the melody; only differences count. */
export function scores(tracks, rules) {
  const lines = tracks.map(eventsTogether);
  const begin = Math.min(...lines.map(([first]) => first.time));
  const end = Math.max(...lines.map((events) => events.at(-1).time));
  const numBars = Math.max((end - begin) / BAR, 1);
  const tops = topShares(tracks);
  const [melody, accompaniment] = [rules.melody_name, rules.accompaniment_name].map(
    (pattern) => new RegExp(pattern, "iu"),
  );
  return tracks.map(({ name, program }, index) => {
    const accompanies = accompaniment.test(name);
    const late = (lines[index][0].time - begin) / BAR;
    const features = {
      ...ofLine(lines[index], numBars),
      enters: within(Math.min(late / 4, 2 - late / 16), 0, 1),
      on_top: tops[index],
      first: -Math.min(index, 4) / 4,
      words: 0,
      named: Number(melody.test(name) && !accompanies),
      accompanies: Number(accompanies),
      bass: Number(isAmong(program, BASSES)),
      pad: Number(isAmong(program, PADS)),
      percussion: Number(isAmong(program, PERCUSSION)),
    };
    return sum(Object.entries(rules.weights).map(([feature, weight]) => weight * features[feature]));
  });
}

/** The pitched tracks, the likeliest melody first. */
export function likeliest(tracks, rules) {
  const pitched = tracks.filter((track) => !track.is_drum);
  if (!pitched.length) return [];
  const scored = scores(pitched, rules).map((score, index) => ({ score, track: pitched[index] }));
  return scored.sort((one, two) => two.score - one.score).map(({ track }) => track);
}
