// Random numbers as JAX draws them, so that a seed means the same here: Threefry-2x32 with 20
// rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];
const PARITY = 0x1bd11bda;
const TINY = 2 ** -126; // the least normal float32
// Giles 2012, "Approximating the erfinv function": in the middle, and in the tails.
const MIDDLE = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503,
  -0.00417768164, 0.246640727, 1.50140941,
];
const TAILS = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
  0.00943887047, 1.00167406, 2.83297682,
];

/** The block [x0, x1] enciphered with a key, both of two unsigned 32-bit numbers. */
function threefry([key0, key1], [x0, x1]) {
  const keys = [key0, key1, key0 ^ key1 ^ PARITY];
  let one = (x0 + keys[0]) | 0;
  let two = (x1 + keys[1]) | 0;
  for (let group = 0; group < 5; group += 1) {
    for (const rotation of ROTATIONS[group % 2]) {
      one = (one + two) | 0;
      two = ((two << rotation) | (two >>> (32 - rotation))) ^ one;
    }
    one = (one + keys[(group + 1) % 3]) | 0;
    two = (two + keys[(group + 2) % 3] + group + 1) | 0;
  }
  return [one >>> 0, two >>> 0];
}

/** `jax.random.key`. */
export const keyOf = (seed) => [0, seed >>> 0];

/** `jax.random.fold_in`; also the key of that number of `jax.random.split`. */
export const foldIn = (key, data) => threefry(key, [0, data]);

/** `count` unsigned numbers of 32 bits. */
function bits(key, count) {
  return Uint32Array.from({ length: count }, (_, index) => {
    const [high, low] = threefry(key, [0, index]);
    return high ^ low;
  });
}

/** `jax.random.uniform`: numbers from `low` on and below `high`, both float32. */
function uniform(key, count, low, high) {
  const span = Math.fround(high - low);
  return Float32Array.from(bits(key, count), (word) =>
    Math.max(low, Math.fround(Math.fround((word >>> 9) / 2 ** 23) * span) + low),
  );
}

function inverseErf(x) {
  const w = -Math.log1p(Math.fround(-x * x));
  const inTail = w >= 5;
  const place = inTail ? Math.sqrt(w) - 3 : w - 2.5;
  return (inTail ? TAILS : MIDDLE).reduce((sum, factor) => sum * place + factor, 0) * x;
}

/** `jax.random.normal`: [count] float32. */
export function normal(key, count) {
  const low = Math.fround(-1 + 2 ** -24); // the next number above -1
  return uniform(key, count, low, 1).map((x) => Math.SQRT2 * inverseErf(x));
}

/** `jax.random.gumbel`: [count] float32. */
export const gumbel = (key, count) =>
  uniform(key, count, TINY, 1).map((x) => -Math.log(-Math.log(x)));

/** `jax.random.randint` of one number from 0 on and below `span`, of at most 2 ** 31. */
export function integer(key, span) {
  const [[high], [low]] = [0, 1].map((half) => bits(foldIn(key, half), 1));
  const once = 65536 % span;
  const factor = (Math.imul(once, once) >>> 0) % span;
  const product = Math.imul(high % span, factor) >>> 0;
  return ((product + (low % span)) >>> 0) % span;
}
