// A piece as sound, made in the browser: a plain tone that dies away, the same for each instrument.

import { notesOf, viewOf } from "./piece.js";
import { secondsAt } from "./roll.js";

const RATE = 22050;
const LOUDNESS = 0.25;
const PARTIALS = [0, 1, 0.4, 0.2, 0.1]; // how strong each multiple of the pitch is
const [ATTACK_SEC, RELEASE_SEC, DECAY_SEC] = [0.008, 0.06, 0.9];
const MOST_SEC = 1800;

function strike(context, wave, pitch, begin, end) {
  const tone = new OscillatorNode(context, { frequency: 440 * 2 ** ((pitch - 69) / 12) });
  tone.setPeriodicWave(wave);
  const volume = new GainNode(context, { gain: 0 });
  volume.gain.setValueAtTime(0, begin);
  volume.gain.linearRampToValueAtTime(LOUDNESS, begin + ATTACK_SEC);
  volume.gain.setTargetAtTime(LOUDNESS * 0.3, begin + ATTACK_SEC, DECAY_SEC);
  volume.gain.setTargetAtTime(0, Math.max(end - RELEASE_SEC, begin + ATTACK_SEC), RELEASE_SEC / 3);
  tone.connect(volume).connect(context.destination);
  tone.start(begin);
  tone.stop(end + RELEASE_SEC);
}

function wav(samples) {
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const words = (place, text) =>
    [...text].forEach((letter, index) => bytes.setUint8(place + index, letter.charCodeAt(0)));
  words(0, "RIFF");
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  words(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true); // plain numbers
  bytes.setUint16(22, 1, true); // one channel
  bytes.setUint32(24, RATE, true);
  bytes.setUint32(28, 2 * RATE, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  words(36, "data");
  bytes.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, index) => {
    const limited = Math.min(Math.max(value, -1), 1);
    bytes.setInt16(44 + 2 * index, Math.round(32767 * limited), true);
  });
  return new Blob([bytes], { type: "audio/wav" });
}

/** The sound of a piece, as a blob; of a very long one, its first half hour. */
export async function soundOf(piece) {
  const view = viewOf(piece);
  const seconds = Math.min(view.duration_sec + 0.5, MOST_SEC);
  const context = new OfflineAudioContext(1, Math.ceil(seconds * RATE), RATE);
  const wave = context.createPeriodicWave(new Float32Array(PARTIALS.length), Float32Array.from(PARTIALS));
  for (const [pitch, start, end] of notesOf(piece)) {
    const begin = secondsAt(view, start);
    if (begin < seconds) strike(context, wave, pitch, begin, secondsAt(view, end));
  }
  return wav((await context.startRendering()).getChannelData(0));
}
