// A click on the beats of what is heard, higher where a bar begins.

import { perBar, secondsAt } from "./roll.js";
import { clock, tone } from "./tones.js";

const EVERY_MS = 100;
const AHEAD_SEC = 1.5; // a page in the background is woken once a second
const CLICK_SEC = 0.05;
const HERTZ = { bar: 1760, beat: 1175 };
const box = document.getElementById("click");
let planned = []; // tones to come
let until = null; // up to which time of what is heard

/** The beats of a view from one time to another, in seconds, and whether a bar begins there. */
export function beats(view, from, to) {
  return view.sections.flatMap(({ start_bar: start, bars, beats: count = 4 }) =>
    Array.from({ length: bars * count }, (_, beat) => ({
      at: secondsAt(view, (start + beat / count) * perBar(view)),
      isBar: beat % count === 0,
    })).filter(({ at }) => at >= from && at < to),
  );
}

function stop() {
  for (const source of planned) source.stop();
  planned = [];
  until = null;
}

/** Clicks with what `audio` plays, whose view `heard` gives, while the box is ticked. */
export function begin(audio, heard) {
  const plan = () => {
    const view = heard();
    if (!view || audio.paused || audio.ended || !box.checked) return;
    const now = audio.currentTime;
    const to = now + AHEAD_SEC;
    const time = clock()?.currentTime;
    for (const { at, isBar } of beats(view, until ?? now, to)) {
      const hertz = isBar ? HERTZ.bar : HERTZ.beat;
      const source = tone(hertz, CLICK_SEC, 0.5, time + (at - now) / audio.playbackRate);
      if (!source) return;
      planned.push(source);
      source.addEventListener("ended", () => (planned = planned.filter((one) => one !== source)));
    }
    until = to;
  };
  for (const event of ["pause", "seeking", "emptied", "ratechange"]) {
    audio.addEventListener(event, stop);
  }
  for (const event of ["play", "seeked"]) audio.addEventListener(event, plan);
  box.addEventListener("change", () => (box.checked ? plan() : stop()));
  setInterval(plan, EVERY_MS);
}
