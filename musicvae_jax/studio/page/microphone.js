// A melody by the microphone: recorded here, heard by the studio as any other file.

import { Problem } from "./api.js";

const RATE_HZ = 24_000; // as the studio listens
const MOST_SEC = 300;
// Calls do without what is not speech; singing needs it.
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
let stopRecording = null;

/** Whether this browser, on a page from this address, may record. */
export const canRecord = () =>
  Boolean(globalThis.navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder);

/** Whether something is being recorded. */
export const isRecording = () => stopRecording !== null;

/** Ends the recording. */
export const stop = () => stopRecording?.();

/**
 * Records until `stop` is called, for five minutes at most.
 *
 * @param {(seconds: number) => void} tell of the seconds recorded, each of them
 * @returns {Promise<File>} a WAV file
 */
export async function record(tell) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
  } catch (error) {
    throw new Problem(`The microphone cannot be used (${error.message}).`);
  }
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  let seconds = 0;
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve));
  stopRecording = () => recorder.state === "inactive" || recorder.stop();
  const clock = setInterval(() => {
    seconds += 1;
    tell(seconds);
    if (seconds >= MOST_SEC - 1) stopRecording();
  }, 1000);
  recorder.start();
  tell(0);
  try {
    await ended;
    return await wavFile(await new Blob(pieces).arrayBuffer());
  } finally {
    clearInterval(clock);
    stream.getTracks().forEach((track) => track.stop());
    stopRecording = null;
  }
}

/** What a browser recorded, in whatever format, as a WAV file of one channel. */
async function wavFile(recorded) {
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, RATE_HZ).decodeAudioData(recorded);
  } catch {
    throw new Problem("Nothing was recorded.");
  }
  const mixed = new OfflineAudioContext(1, Math.max(1, sound.length), RATE_HZ);
  const source = mixed.createBufferSource();
  source.buffer = sound;
  source.connect(mixed.destination);
  source.start();
  const samples = (await mixed.startRendering()).getChannelData(0);
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "");
  return new File([wav(samples)], `recording_${time}.wav`, { type: "audio/wav" });
}

/** The bytes of a WAV file with 16 bits a sample. */
function wav(samples) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // uncompressed
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, RATE_HZ, true);
  view.setUint32(28, 2 * RATE_HZ, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, index) =>
    view.setInt16(44 + 2 * index, Math.max(-1, Math.min(1, sample)) * 32767, true),
  );
  return view.buffer;
}
