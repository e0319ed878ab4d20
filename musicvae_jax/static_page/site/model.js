// The model's functions: ONNX models, exported from JAX, in WebAssembly.

import * as runtime from "./runtime/ort.wasm.min.mjs";
import { STEPS_PER_BAR } from "./notes.js";

runtime.env.wasm.numThreads = 1; // more would need headers that a plain server does not send
runtime.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;

const NAMES = ["encode", "conduct", "decode", "write"];

async function content(name) {
  const response = await fetch(new URL(`./model/${name}.packed`, import.meta.url));
  if (!response.ok) throw new Error(`model/${name}.packed: ${response.status}`);
  const unpacked = response.body.pipeThrough(new DecompressionStream("gzip"));
  const packed = new Uint8Array(await new Response(unpacked).arrayBuffer());
  // First every other byte, and then those between: so it is smaller.
  const [plain, half] = [new Uint8Array(packed.length), Math.ceil(packed.length / 2)];
  for (let place = 0; place < half; place += 1) plain[2 * place] = packed[place];
  for (let place = half; place < packed.length; place += 1) plain[2 * (place - half) + 1] = packed[place];
  return plain;
}

const floats = (values, shape) => new runtime.Tensor("float32", Float32Array.from(values), shape);
const integers = (values, shape) => new runtime.Tensor("int32", Int32Array.from(values), shape);
const truths = (values, shape) => new runtime.Tensor("bool", Uint8Array.from(values), shape);

/** Loads the model; `tell` hears how many of how many parts there are. */
export async function load(tell) {
  const facts = await (await fetch(new URL("./model/facts.json", import.meta.url))).json();
  const table = await fetch(new URL("./model/outlines.bin", import.meta.url));
  const outlines = new Uint8Array(await table.arrayBuffer());
  const sessions = {};
  for (const [index, name] of NAMES.entries()) {
    tell(index, NAMES.length);
    sessions[name] = await runtime.InferenceSession.create(await content(name));
  }
  return new Model(facts, outlines, sessions);
}

/** What the functions take and give are plain arrays of one melody, row by row. */
class Model {
  constructor(facts, outlines, sessions) {
    Object.assign(this, facts);
    this.outlines = outlines;
    this.sessions = sessions;
  }

  async run(name, feeds) {
    const [result] = Object.values(await this.sessions[name].run(feeds));
    return result.data;
  }

  /** The latent of tokens of `bars` bars. */
  encode(tokens) {
    return this.run("encode", { tokens: integers(tokens, [1, this.bars * STEPS_PER_BAR]) });
  }

  /** The embedding of each bar along a path, of one latent for each bar. */
  async conduct(path) {
    const embeddings = [];
    for (let first = 0; first < path.length; first += this.bars) {
      // The conductor knows so many bars; after them it begins anew.
      const last = path.length - 1;
      const round = Array.from({ length: this.bars }, (_, bar) => path[Math.min(first + bar, last)]);
      const joined = round.flatMap((latent) => [...latent]);
      const made = await this.run("conduct", { path: floats(joined, [1, this.bars, this.z]) });
      const width = made.length / this.bars;
      for (let bar = 0; bar < Math.min(this.bars, path.length - first); bar += 1) {
        embeddings.push(made.subarray(bar * width, (bar + 1) * width));
      }
    }
    return embeddings;
  }

  /**
   * The tokens of bars; `bias(bar)` gives what is added to the logits of a bar, or nothing, and
   * `given` are the tokens of the first bars, which are not decoded.
   */
  async decode(embeddings, bias = () => null, given = []) {
    const tokens = [...given];
    const nothing = new Float32Array(STEPS_PER_BAR * this.vocab);
    for (const [bar, embedding] of embeddings.entries()) {
      if (bar < given.length / STEPS_PER_BAR) continue;
      const made = await this.run("decode", {
        embedding: floats(embedding, [1, 1, embedding.length]),
        before: integers([tokens.at(-1) ?? this.vocab], [1]),
        bias: floats(bias(bar) || nothing, [1, STEPS_PER_BAR, this.vocab]),
      });
      tokens.push(...made);
    }
    return tokens;
  }

  /** Codes of `bars` bars, those that move written anew; see `composer.js`. */
  async write(codes, level, moves, phase, source, form) {
    const row = [1, this.bars];
    const made = await this.run("write", {
      codes: floats(codes.flatMap((code) => [...code]), [...row, this.size]),
      level: floats(level, row),
      moves: truths(moves, row),
      phase: integers(phase, row),
      source: integers([source], [1]),
      form: integers(form, row),
    });
    return codes.map((_, bar) => made.slice(bar * this.size, (bar + 1) * this.size));
  }
}
