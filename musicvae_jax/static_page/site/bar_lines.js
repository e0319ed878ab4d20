// On which sixteenth the bars of a song begin, by its notes, as `musicvae_jax/midi/analysis` finds
// it: what each cue says of a place in the bar is summed over the song, and weighed.

const BAR = 16; // sixteenths
const MOST_STEPS = 128 * BAR;
const FULL_STEPS = 16 * BAR;
// In the order of the rows of the weights; of the last four a song has one each.
const [ONSETS, GAPS, LENGTHS, LOW, BASS, CHANGES, REPEATS, CHORDS, ENTRIES, DRUMS, FIRST, LAST, END] = [
  0, 1, 2, 3, 4, 5, 8, 11, 12, 13, 16, 17, 18,
];
const [CUES, REPEATED] = [20, 16];
const KIT = [[35, 36], [37, 38, 39, 40], [49, 52, 55, 57]]; // kick, snare, cymbal
const [MIN_REPEAT, LONG_REPEAT] = [6, 24]; // notes
const FEW = 0.5;
const [BASS_PITCH, LOW_PITCH] = [55, 64];
const [EVEN_SHARE, FORM_WEIGHT] = [0.95, 5];
const PLACES = [1, 0.02, 0.1, 0.02]; // a quarter note, an eighth, what lies between
const [MIN_QUARTERS, MIN_NOTES, MIN_ODDS] = [24, 24, 20];
const [NEAR_THIRD, SHARE_OF_TRIPLETS] = [0.03, 0.15];

const range = (count) => Array.from({ length: count }, (_, index) => index);

/** The notes of the first bars on the grid, each [start, end, pitch, track], and drums. */
function onGrid(song) {
  const earliest = Math.min(...song.tracks.map(({ notes }) => notes[0][1]));
  const offset = 4 * Math.floor((earliest + 0.125) / 4);
  const step = (quarters) => Math.floor((quarters - offset) * 4 + 0.5);
  const [notes, drums] = [[], []];
  let [isWhole, stop] = [true, 1];
  song.tracks.forEach(({ notes: played, is_drum }, track) => {
    for (const [pitch, from, to] of played) {
      const start = step(from);
      if (start >= MOST_STEPS) {
        isWhole = false;
        continue;
      }
      const end = Math.max(step(to), start + 1);
      if (is_drum) drums.push([start, pitch]);
      else notes.push([start, end, pitch, track]);
      stop = Math.max(stop, is_drum ? start + 1 : end);
    }
  });
  const size = Math.min(Math.ceil(stop / BAR) * BAR, MOST_STEPS);
  for (const note of notes) note[1] = Math.min(note[1], size);
  return { notes, drums, size, isWhole };
}

/** The onsets of all tracks together: what begins at each, by time. */
function lineOf(notes) {
  const onsets = new Map();
  for (const [start, end, pitch] of notes) {
    const one = onsets.get(start) || { start, top: 0, low: 127, length: 0, count: 0 };
    one.top = Math.max(one.top, pitch);
    one.low = Math.min(one.low, pitch);
    one.length = Math.max(one.length, end - start);
    one.count += 1;
    onsets.set(start, one);
  }
  return [...onsets.values()].sort((one, two) => one.start - two.start);
}

function byTrack(notes) {
  const tracks = new Map();
  for (const note of notes) {
    if (!tracks.has(note[3])) tracks.set(note[3], []);
    tracks.get(note[3]).push(note);
  }
  return [...tracks.values()];
}

/** The cues of a song by their place in a bar: [cues][16]. */
function profileOf({ notes, drums, size, isWhole }, line) {
  const folded = range(CUES).map(() => new Array(BAR).fill(0));
  const add = (cue, step, value) => (folded[cue][step % BAR] += value);
  for (const { start, low, length, count } of line) {
    add(ONSETS, start, 1);
    add(LENGTHS, start, 0.5 + Math.log2(Math.min(length, BAR)));
    add(LOW, start, Math.min(Math.max((LOW_PITCH - low) / 24, 0), 1.5));
    add(CHORDS, start, Number(count >= 3));
  }
  const bass = line.filter(({ low }) => low < BASS_PITCH);
  bass.forEach(({ start }, index) => {
    const gap = bass[index + 1] ? bass[index + 1].start - start : BAR;
    add(BASS, start, Math.log2(Math.min(gap, BAR)));
  });
  for (const track of byTrack(notes)) addTrack(track, add);
  addChanges(notes, size, add);
  addRepeats(line, size, add);
  KIT.forEach((pitches, row) => {
    const struck = new Set(drums.filter(([, pitch]) => pitches.includes(pitch)).map(([start]) => start));
    for (const start of struck) add(DRUMS + row, start, 1);
  });
  if (line.length) add(FIRST, line[0].start, 1);
  if (line.length && isWhole) {
    const stop = Math.max(...notes.map(([, end]) => end));
    add(LAST, line.at(-1).start, 1);
    add(END + Number((stop - line[0].start) % BAR !== 0), stop % size, 1);
  }
  const scale = Math.min(1, Math.sqrt(size / FULL_STEPS));
  return folded.map((row, cue) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / BAR;
    const isOneOff = cue >= REPEATED;
    return row.map((value) => scale * (isOneOff ? value : (value - mean) / (mean + FEW)));
  });
}

/** The time up to the next onset of a track, and where it enters after silence. */
function addTrack(track, add) {
  const starts = [...new Set(track.map(([start]) => start))];
  starts.forEach((start, index) => {
    const gap = index + 1 < starts.length ? starts[index + 1] - start : BAR;
    add(GAPS, start, Math.log2(Math.min(gap, BAR)));
  });
  let latest = -Infinity;
  for (const [start, end] of track) {
    if (start - latest >= 8) add(ENTRIES, start, 1);
    latest = Math.max(latest, end);
  }
}

/** How different the harmony is before and after each step, for three lengths. */
function addChanges(notes, size, add) {
  const sums = range(size + 1).map(() => new Float64Array(12)); // over the steps before
  const change = range(size + 1).map(() => new Float64Array(12));
  for (const [start, end, pitch] of notes) {
    change[start][pitch % 12] += 1;
    change[end][pitch % 12] -= 1;
  }
  const sounding = new Float64Array(12);
  for (let step = 0; step < size; step += 1) {
    for (let tone = 0; tone < 12; tone += 1) {
      sounding[tone] += change[step][tone];
      // As many as two notes of a pitch class count.
      sums[step + 1][tone] = sums[step][tone] + Math.min(sounding[tone], 2);
    }
  }
  [4, 8, 16].forEach((width, row) => {
    for (let step = 0; step < size; step += 1) {
      const [first, last] = [sums[Math.max(step - width, 0)], sums[Math.min(step + width, size)]];
      let [before, after, product] = [0, 0, 0];
      for (let tone = 0; tone < 12; tone += 1) {
        const [one, two] = [sums[step][tone] - first[tone], last[tone] - sums[step][tone]];
        before += one * one;
        after += two * two;
        product += one * two;
      }
      const norm = Math.sqrt(before * after);
      if (norm > 0) add(CHANGES + row, step, 1 - product / Math.max(norm, 1e-9));
    }
  });
}

/** Where the top line begins to repeat itself: short, long, and by rhythm and direction alone. */
function addRepeats(line, size, add) {
  const [top, moves] = [new Int32Array(size), new Int32Array(size)];
  line.forEach((one, index) => {
    const next = line[index + 1] || { start: size, top: 0 };
    top[one.start] = one.top;
    const direction = Math.sign((index + 1 < line.length ? next.top : 0) - one.top) + 2;
    moves[one.start] = 4 * Math.min(next.start - one.start, BAR) + direction;
  });
  for (const bars of [1, 2, 4, 8, 16]) {
    for (const [begin, count] of stretches(top, bars * BAR)) {
      add(REPEATS + Number(count >= LONG_REPEAT), begin, Math.log2(count));
    }
    for (const [begin, count] of stretches(moves, bars * BAR)) add(REPEATS + 2, begin, Math.log2(count));
  }
}

/** The stretches of a line that come again after a lag: where each begins, and its notes. */
function* stretches(line, lag) {
  let [begin, count] = [0, 0];
  for (let step = 0; step + lag <= line.length; step += 1) {
    const isOver = step + lag === line.length;
    if (isOver || line[step] !== line[step + lag]) {
      if (count >= MIN_REPEAT) yield [begin, count];
      count = 0;
    } else if (line[step]) {
      if (!count) begin = step;
      count += 1;
    }
  }
}

/** The step of the first bar, where all after an upbeat is one section that comes again and again. */
function formOf(line) {
  const starts = line.map(({ start }) => start);
  for (const bars of [4, 8, 16, 32]) {
    const found = starts.map((start) => starts.findIndex((other) => other >= start + bars * BAR));
    const count = found.filter((place) => place >= 0).length;
    if (count < LONG_REPEAT) continue;
    const isSame = range(count).map(
      (index) =>
        starts[found[index]] - starts[index] === bars * BAR &&
        line[found[index]].top === line[index].top,
    );
    const isNew = range(count - 1).map(
      (index) => !isSame[index] || found[index + 1] - found[index] !== 1,
    );
    const first = isNew.lastIndexOf(true) + 1;
    const isUpbeat = starts[first] > starts[0] && starts[first] < starts[0] + BAR;
    const reachesEnd = isSame[count - 1] && found[count - 1] === starts.length - 1;
    if (reachesEnd && isUpbeat) return starts[first];
  }
  return null;
}

/** Whether a line moves in notes of one length, which tell nothing but by their form. */
function isEven(line) {
  const gaps = line.slice(1).map(({ start }, index) => start - line[index].start);
  const counts = new Map();
  for (const gap of gaps) counts.set(gap, (counts.get(gap) || 0) + 1);
  return gaps.length > 0 && Math.max(...counts.values()) >= EVEN_SHARE * gaps.length;
}

/** How probable it is that bars begin on each sixteenth: [16]. */
export function probabilities(song, weights) {
  const grid = onGrid(song);
  const line = lineOf(grid.notes);
  const several = grid.notes.length > 0 && grid.notes[0][3] !== grid.notes.at(-1)[3];
  const chords = line.filter(({ count }) => count > 1).length;
  const hasVoices = grid.drums.length > 0 || several || chords > 0.05 * grid.size;
  const score = new Array(BAR).fill(0);
  if (!hasVoices && isEven(line)) {
    score[line[0].start % BAR] = 1;
  } else {
    const profile = profileOf(grid, line);
    weights[Number(hasVoices)].forEach((row, cue) => {
      row.forEach((weight, place) => {
        for (let step = 0; step < BAR; step += 1) {
          score[step] += weight * profile[cue][(step + place) % BAR];
        }
      });
    });
  }
  const form = grid.isWhole ? formOf(line) : null;
  if (form !== null) score[form % BAR] += FORM_WEIGHT;
  const highest = Math.max(...score);
  const likely = score.map((value) => Math.exp(value - highest));
  const sum = likely.reduce((total, value) => total + value, 0);
  return likely.map((value) => value / sum);
}

function hasTriplets(song) {
  const onsets = song.tracks.flatMap(({ notes }) => notes.map(([, start]) => start % 1));
  const near = onsets.filter((place) => Math.abs(place - 1 / 3) < NEAR_THIRD);
  return near.length / onsets.length > SHARE_OF_TRIPLETS;
}

/**
 * Where a bar of a song in 4/4 begins, in quarter notes: 0, as its file says, unless the notes say
 * something else that is far more probable.
 */
export function barOne(song, weights) {
  const count = song.tracks.reduce((sum, { notes }) => sum + notes.length, 0);
  if (song.quarters < MIN_QUARTERS || count < MIN_NOTES || hasTriplets(song)) return 0;
  const probability = probabilities(song, weights).map((value, step) => value * PLACES[step % 4]);
  const best = probability.indexOf(Math.max(...probability));
  return probability[best] < MIN_ODDS * probability[0] ? 0 : best / 4;
}
