// Short tones that the page makes itself.

let context = null;

/** The clock of tones, in seconds; null where a browser has none. */
export function clock() {
  if (!context && globalThis.AudioContext) context = new AudioContext();
  if (context?.state === "suspended") context.resume();
  return context;
}

export const hertz = (pitch) => 440 * 2 ** ((pitch - 69) / 12);

/** Plays a tone; `at` is on the clock, by default now. */
export function tone(frequency, seconds, loudness, at = 0) {
  const audio = clock();
  if (!audio) return null;
  const begin = Math.max(at, audio.currentTime);
  const source = audio.createOscillator();
  const gain = audio.createGain();
  source.type = "triangle";
  source.frequency.value = frequency;
  gain.gain.setValueAtTime(loudness, begin);
  gain.gain.exponentialRampToValueAtTime(0.001, begin + seconds);
  source.connect(gain).connect(audio.destination);
  source.start(begin);
  source.stop(begin + seconds);
  return source;
}
