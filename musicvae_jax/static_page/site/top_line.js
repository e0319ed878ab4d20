// The notes of a track that may be its melody, as `musicvae_jax/midi/analysis/top_line.py` has it:
// without accompaniment and ornaments. Notes are [pitch, start, end] in quarter notes, by time.

export const TOGETHER = 0.06; // notes that begin within this time of each other begin together
const LEGATO = 0.15;
const MANY_VOICES = 0.15;
const [MOST_COVERED, LONGEST_HELD] = [16, 8];
const [OTHER_HAND, AROUND] = [12, 2];
const [ORNAMENT, MAIN] = [0.11, 3];

/** For each note, the number of the event that it begins with others. */
export function eventsOf(notes) {
  let event = -1;
  return notes.map(([, start], index) => {
    if (!index || start - notes[index - 1][1] > TOGETHER) event += 1;
    return event;
  });
}

/** The share of notes that begin while another one sounds is large. */
function isSeveralVoices(notes) {
  let [latest, count] = [-Infinity, 0];
  notes.forEach(([, start, end], index) => {
    if (index && latest - start > LEGATO) count += 1;
    latest = Math.max(latest, end);
  });
  return notes.length > 1 && count / (notes.length - 1) > MANY_VOICES;
}

/** Whether a note is a grace note of the next. */
function isOrnament([pitch, start, end], next) {
  if (!next) return false;
  const [length, gap] = [end - start, next[1] - start];
  const isShort = length <= ORNAMENT && gap <= 0.15 && gap > 0.01;
  const isMain = next[2] - next[1] >= MAIN * length && Math.abs(next[0] - pitch) <= 4;
  return isShort && isMain && Math.abs(gap - length) < 0.04;
}

/** For each note, whether it can only be accompaniment. */
function accompany(notes) {
  const eventOf = eventsOf(notes);
  const events = [];
  notes.forEach(([pitch, start, end], index) => {
    const event = (events[eventOf[index]] ||= { time: start, pitch: -1, end: -Infinity });
    if (pitch > event.pitch) Object.assign(event, { pitch, end });
    else if (pitch === event.pitch) event.end = Math.max(event.end, end);
  });
  for (const event of events) event.isHeld = event.end - event.time <= LONGEST_HELD;
  const isBelow = farBelow(events);
  const only = events.map((event, index) => {
    const before = events.slice(Math.max(index - MOST_COVERED, 0), index);
    const covers = (one) => one.pitch > event.pitch && one.isHeld && one.end >= event.end - TOGETHER;
    return before.some(covers) || isBelow[index];
  });
  return eventOf.map((event) => only[event]);
}

/** For each event, whether it lies far below what is played just before and just after it. */
function farBelow(events) {
  const beats = new Map(); // the highest pitch in each
  for (const { time, pitch, isHeld } of events) {
    const beat = Math.floor(time);
    beats.set(beat, Math.max(beats.get(beat) ?? 0, isHeld ? pitch : 0));
  }
  const numbers = [...beats.keys()];
  const near = (index, steps) => {
    const other = numbers[index + steps];
    return Math.abs(other - numbers[index]) <= AROUND ? beats.get(other) : 0;
  };
  const around = new Map();
  numbers.forEach((number, index) => {
    const highest = [-1, 1].map((way) =>
      Math.max(beats.get(number), ...[1, 2].map((steps) => near(index, way * steps))),
    );
    around.set(number, Math.min(...highest));
  });
  return events.map(({ time, pitch }) => around.get(Math.floor(time)) - pitch > OTHER_HAND);
}

/** The notes of a track without those that can only accompany, or adorn, others of it. */
export function melodic(notes) {
  const isOnly = isSeveralVoices(notes) ? accompany(notes) : [];
  return notes.filter((note, index) => !isOnly[index] && !isOrnament(note, notes[index + 1]));
}
