// A piece as sound, made in the browser: a plain tone that dies away, the same for each instrument.

import { notesOf, viewOf } from "./piece.js";
import { secondsAt } from "./roll.js";
import { hertz } from "./tones.js";
import { wav } from "./wav.js";

const RATE = 22050;
const LOUDNESS = 0.25;
const PARTIALS = [0, 1, 0.4, 0.2, 0.1]; // how strong each multiple of the pitch is
const [ATTACK_SEC, RELEASE_SEC, DECAY_SEC] = [0.008, 0.06, 0.9];
const MOST_SEC = 1800;

function strike(context, wave, pitch, begin, end) {
  const tone = new OscillatorNode(context, { frequency: hertz(pitch) });
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
  const samples = (await context.startRendering()).getChannelData(0);
  return new Blob([wav(samples, RATE)], { type: "audio/wav" });
}
