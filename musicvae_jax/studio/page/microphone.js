// A melody by the microphone: recorded here, heard by the studio as any other file.

import { Problem } from "./api.js";
import { wav } from "./wav.js";

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
  return new File([wav(samples, RATE_HZ)], `recording_${time}.wav`, { type: "audio/wav" });
}
