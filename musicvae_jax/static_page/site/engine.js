// The model in a worker, so that the page never waits for it. It does one thing after the other.

import { bridge, continuation, newMelody } from "./bridges.js";
import { load } from "./model.js";

const WORK = { bridge, continuation, newMelody };
const ready = load((done, total) => postMessage({ done, total }));
let last = ready;

ready.then(
  (model) => postMessage({ facts: { bars: model.bars, ways: model.ways } }),
  (error) => postMessage({ failed: error.message }),
);

onmessage = ({ data: { id, name, told } }) => {
  last = last
    .catch(() => {})
    .then(async () => WORK[name](await ready, ...told))
    .then(
      (result) => postMessage({ id, result }),
      (error) => postMessage({ id, error: error.message }),
    );
};
