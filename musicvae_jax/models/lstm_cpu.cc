// An LSTM layer over time for CPUs, as two XLA custom calls: forward and backward.
//
// What XLA makes of the scan runs each step's elementwise work on one thread and writes
// every intermediate to memory. Here one tile of the recurrent product yields all four
// gates of a few rows and units in registers, where they are activated at once, and each
// thread follows its own rows through all steps, so that no step waits for another thread.
//
// Shapes, row-major float32 (tokens int32): T steps, B rows, H units, G = 4 H gates in the
// order input, forget, cell, output, V tokens. The gates' drive is the sum of `dense`
// ([T, B, G], [1, B, G] for all steps alike, or empty), `table[token]` (tokens [T, B] or
// empty; a token of V or above adds nothing), and `bias` [G].
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

// A tile has kRows rows of four vectors: as many accumulators as the registers hold.
#if defined(__AVX512F__)
constexpr int kLanes = 16, kRows = 6;
#elif defined(__AVX__)
constexpr int kLanes = 8, kRows = 3;
#elif defined(__aarch64__)
constexpr int kLanes = 4, kRows = 6;
#else
constexpr int kLanes = 4, kRows = 3;
#endif
// So many rows share a walk through the weights, at each step.
constexpr int64_t kRowsPerWalk = 8 * kRows;

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t IntVec __attribute__((vector_size(4 * kLanes)));

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
inline void add_to(float* p, Vec v) { store(p, load(p) + v); }

// e^x for |x| up to 87, beyond which it is that of the limit: 2^n times the Taylor
// polynomial of 2^f, f within 1/2 of 0, whose eighth term is below 6e-9.
inline Vec exp(Vec x) {
  const Vec limit = Vec{} + 87.0f;
  x = x > limit ? limit : x;
  x = x < -limit ? -limit : x;
  const float round = 12582912.0f;  // 1.5 * 2^23: adding it leaves the integer in the low bits
  Vec shifted = x * 1.44269504f + round;
  // In two parts, so that the product with the logarithm of 2 loses no bits.
  Vec n = shifted - round;
  Vec f = (x - n * 0.693145752f) - n * 1.42860677e-6f;
  Vec p = Vec{} + 1.0f / 5040;
  p = p * f + 1.0f / 720;
  p = p * f + 1.0f / 120;
  p = p * f + 1.0f / 24;
  p = p * f + 1.0f / 6;
  p = p * f + 0.5f;
  p = p * f + 1.0f;
  p = p * f + 1.0f;
  IntVec bits, power;
  std::memcpy(&power, &shifted, sizeof power);
  std::memcpy(&bits, &p, sizeof bits);
  bits += power << 23;
  std::memcpy(&p, &bits, sizeof p);
  return p;
}
inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp(-x)); }
inline Vec tanh(Vec x) { return 1.0f - 2.0f / (1.0f + exp(x + x)); }

// Products of R rows of `a` (stride a_stride, k long) with a panel [k][N][kLanes].
template <int R, int N>
inline __attribute__((always_inline)) void multiply(const float* a, int64_t a_stride, int64_t k,
                                                    const float* panel, Vec (&sum)[R][N]) {
  for (int64_t i = 0; i < k; ++i, panel += N * kLanes) {
    Vec b[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) b[n] = load(panel + n * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec value = Vec{} + a[r * a_stride + i];
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) sum[r][n] += value * b[n];
    }
  }
}

// Calls body<R>(first row) over rows [0, rows) in tiles of nearly equal size R <= kRows.
template <typename Body>
void over_tiles(int64_t rows, const Body& body) {
  const int64_t tiles = (rows + kRows - 1) / kRows;
  int64_t row = 0;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t size = (rows - row) / (tiles - tile);
    switch (size) {
      case 1: body.template run<1>(row); break;
      case 2: body.template run<2>(row); break;
      case 3: body.template run<3>(row); break;
#if defined(__AVX512F__) || defined(__aarch64__)
      case 4: body.template run<4>(row); break;
      case 5: body.template run<5>(row); break;
      case 6: body.template run<6>(row); break;
#endif
    }
    row += size;
  }
}

// Runs work(0) .. work(count - 1) on the pool and on the calling thread, which waits only
// for work that has been begun: a pool whose threads are all busy cannot block it.
template <typename Work>
void parallel(ffi::ThreadPool& pool, int64_t count, const Work& work) {
  struct Shared {
    std::atomic<int64_t> next{0}, done{0};
  };
  auto shared = std::make_shared<Shared>();
  auto loop = [shared, count, &work] {
    for (int64_t i; (i = shared->next.fetch_add(1)) < count;) {
      work(i);
      shared->done.fetch_add(1, std::memory_order_release);
    }
  };
  for (int64_t i = 1; i < count; ++i) pool.Schedule([loop] { loop(); });
  loop();
  while (shared->done.load(std::memory_order_acquire) < count) std::this_thread::yield();
}

// The part of `size` items that belongs to worker `i` of `count`.
inline int64_t share(int64_t size, int64_t i, int64_t count) { return size * i / count; }

// A thread for each two rows at most: fewer do not repay reading the weights.
int64_t num_workers(const ffi::ThreadPool& pool, int64_t rows) {
  return std::max<int64_t>(1, std::min(pool.num_threads(), rows / 2));
}

struct Drive {
  const float *dense, *table, *bias;
  const int32_t* tokens;
  int64_t dense_stride;  // from one step to the next; 0 if all are alike
  int64_t vocab;

  const float* dense_at(int64_t t, int64_t row, int64_t gates) const {
    return dense ? dense + t * dense_stride + row * gates : nullptr;
  }
  // The token's row of a table shaped like `table`, or null if the token adds nothing.
  template <typename T>
  T* row_of(T* any_table, int64_t t, int64_t row, int64_t batch, int64_t gates) const {
    if (!tokens) return nullptr;
    const int32_t token = tokens[t * batch + row];
    return token < 0 || token >= vocab ? nullptr : any_table + token * gates;
  }
};

Drive make_drive(const ffi::Buffer<ffi::F32>& dense, const ffi::Buffer<ffi::S32>& tokens,
                 const ffi::Buffer<ffi::F32>& table, const ffi::Buffer<ffi::F32>& bias) {
  Drive drive{};
  const auto dims = dense.dimensions();
  if (dense.element_count()) drive.dense = dense.typed_data();
  drive.dense_stride = dims[0] == 1 ? 0 : dims[1] * dims[2];
  if (tokens.element_count()) drive.tokens = tokens.typed_data();
  drive.table = table.typed_data();
  drive.vocab = table.dimensions()[0];
  drive.bias = bias.typed_data();
  return drive;
}

// ---- forward ----

struct Forward {
  int64_t steps, batch, units;
  bool reverse;
  Drive drive;
  const float *packed, *cell_0, *hidden_0;
  float *last_cell, *hidden;  // [B, H] and [T, B, H]
  float *cell, *gates;        // [T, B, H] and [T, B, G] for the backward pass, or null
};

// [H, G] -> [H / kLanes][H][4][kLanes]: the four gates of some units side by side.
std::vector<float> pack_by_unit(const float* kernel, int64_t units) {
  std::vector<float> packed(units * 4 * units);
  float* out = packed.data();
  for (int64_t u = 0; u < units; u += kLanes)
    for (int64_t k = 0; k < units; ++k)
      for (int gate = 0; gate < 4; ++gate, out += kLanes)
        std::memcpy(out, kernel + (k * 4 + gate) * units + u, sizeof(Vec));
  return packed;
}

struct ForwardTile {
  const Forward& f;
  int64_t t, first, unit;  // step, first row of the walk, first unit
  const float* previous;   // hidden state before this step, of the walk's rows
  float* cells;            // of the walk's rows, in place

  template <int R>
  __attribute__((noinline)) void run(int64_t row) const {
    const int64_t units = f.units, gates = 4 * units;
    Vec sum[R][4];
    for (int r = 0; r < R; ++r) {
      const float* dense = f.drive.dense_at(t, first + row + r, gates);
      const float* token = f.drive.row_of(f.drive.table, t, first + row + r, f.batch, gates);
      for (int gate = 0; gate < 4; ++gate) {
        const int64_t at = gate * units + unit;
        Vec v = load(f.drive.bias + at);
        if (dense) v += load(dense + at);
        if (token) v += load(token + at);
        sum[r][gate] = v;
      }
    }
    multiply<R, 4>(previous + row * units, units, units, f.packed + unit * gates, sum);
    for (int r = 0; r < R; ++r) {
      const Vec i = sigmoid(sum[r][0]), forget = sigmoid(sum[r][1]);
      const Vec g = tanh(sum[r][2]), o = sigmoid(sum[r][3]);
      float* cell = cells + (row + r) * units + unit;
      const Vec c = forget * load(cell) + i * g;
      store(cell, c);
      const int64_t at = (t * f.batch + first + row + r) * units + unit;
      store(f.hidden + at, o * tanh(c));
      if (f.gates) {
        store(f.cell + at, c);
        float* out = f.gates + 4 * (at - unit) + unit;
        store(out, i);
        store(out + units, forget);
        store(out + 2 * units, g);
        store(out + 3 * units, o);
      }
    }
  }
};

void forward_rows(const Forward& f, int64_t first, int64_t rows) {
  const int64_t units = f.units;
  std::vector<float> cells(f.cell_0 + first * units, f.cell_0 + (first + rows) * units);
  const float* previous = f.hidden_0 + first * units;
  for (int64_t step = 0; step < f.steps; ++step) {
    const int64_t t = f.reverse ? f.steps - 1 - step : step;
    for (int64_t unit = 0; unit < units; unit += kLanes)
      over_tiles(rows, ForwardTile{f, t, first, unit, previous, cells.data()});
    previous = f.hidden + (t * f.batch + first) * units;
  }
  std::copy(cells.begin(), cells.end(), f.last_cell + first * units);
}

ffi::Error forward(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> dense, ffi::Buffer<ffi::S32> tokens,
                   ffi::Buffer<ffi::F32> table, ffi::Buffer<ffi::F32> kernel,
                   ffi::Buffer<ffi::F32> bias, ffi::Buffer<ffi::F32> cell_0,
                   ffi::Buffer<ffi::F32> hidden_0, ffi::ResultBuffer<ffi::F32> last_cell,
                   ffi::ResultBuffer<ffi::F32> hidden, ffi::ResultBuffer<ffi::F32> cell,
                   ffi::ResultBuffer<ffi::F32> gates, bool reverse) {
  const auto dims = hidden->dimensions();
  if (dims[2] % 16) return ffi::Error::InvalidArgument("units must be a multiple of 16");
  const std::vector<float> packed = pack_by_unit(kernel.typed_data(), dims[2]);
  Forward f{dims[0], dims[1], dims[2], reverse, make_drive(dense, tokens, table, bias)};
  f.packed = packed.data();
  f.cell_0 = cell_0.typed_data();
  f.hidden_0 = hidden_0.typed_data();
  f.last_cell = last_cell->typed_data();
  f.hidden = hidden->typed_data();
  const bool saves = gates->element_count() > 0;
  f.cell = saves ? cell->typed_data() : nullptr;
  f.gates = saves ? gates->typed_data() : nullptr;
  const int64_t workers = num_workers(pool, f.batch);
  parallel(pool, workers, [&](int64_t worker) {
    const int64_t end = share(f.batch, worker + 1, workers);
    for (int64_t row = share(f.batch, worker, workers); row < end; row += kRowsPerWalk)
      forward_rows(f, row, std::min(kRowsPerWalk, end - row));
  });
  return ffi::Error::Success();
}

// ---- backward ----

struct Backward {
  int64_t steps, batch, units;
  bool reverse;
  Drive drive;  // only its tokens and strides
  const float *packed, *cell_0, *cell, *gates, *d_hidden, *d_last_cell, *d_last_hidden;
  float *d_gates, *d_cell_0, *d_hidden_0;
  float* d_shared;  // [B, G], the gradient of a dense drive that all steps share, or null
};

// [H, G] -> [H / (N kLanes)][G][N][kLanes]: the transposed kernel, in panels.
std::vector<float> pack_transposed(const float* kernel, int64_t units, int vectors) {
  const int64_t width = vectors * kLanes, gates = 4 * units;
  std::vector<float> packed(units * gates);
  float* out = packed.data();
  for (int64_t u = 0; u < units; u += width)
    for (int64_t g = 0; g < gates; ++g)
      for (int64_t i = 0; i < width; ++i) *out++ = kernel[(u + i) * gates + g];
  return packed;
}

// The gates' gradients of one row at one step; d_cell is replaced by the step before's.
void activation_gradients(const Backward& b, int64_t t, int64_t row, const float* previous_cell,
                          const float* d_recurrent, float* d_cell, float* d_bias,
                          float* d_table) {
  const int64_t units = b.units, gates = 4 * units, at = t * b.batch + row;
  const float* gate = b.gates + at * gates;
  float* out = b.d_gates + at * gates;
  float* token = b.drive.row_of(d_table, t, row, b.batch, gates);
  float* shared = b.d_shared ? b.d_shared + row * gates : nullptr;
  for (int64_t u = 0; u < units; u += kLanes) {
    const Vec i = load(gate + u), f = load(gate + units + u);
    const Vec g = load(gate + 2 * units + u), o = load(gate + 3 * units + u);
    const Vec squashed = tanh(load(b.cell + at * units + u));
    const Vec dh = load(b.d_hidden + at * units + u) + load(d_recurrent + u);
    const Vec dc = load(d_cell + u) + dh * o * (1.0f - squashed * squashed);
    store(d_cell + u, dc * f);
    const Vec d[4] = {dc * g * i * (1.0f - i), dc * load(previous_cell + u) * f * (1.0f - f),
                      dc * i * (1.0f - g * g), dh * squashed * o * (1.0f - o)};
    for (int n = 0; n < 4; ++n) {
      const int64_t to = n * units + u;
      store(out + to, d[n]);
      add_to(d_bias + to, d[n]);
      if (token) add_to(token + to, d[n]);
      if (shared) add_to(shared + to, d[n]);
    }
  }
}

template <int N>
struct BackwardTile {
  const Backward& b;
  const float* d_gates;  // of the walk's rows at this step
  int64_t unit;
  float* d_recurrent;  // of the walk's rows

  template <int R>
  __attribute__((noinline)) void run(int64_t row) const {
    const int64_t gates = 4 * b.units;
    Vec sum[R][N] = {};
    multiply<R, N>(d_gates + row * gates, gates, gates, b.packed + unit * gates, sum);
    for (int r = 0; r < R; ++r)
      for (int n = 0; n < N; ++n)
        store(d_recurrent + (row + r) * b.units + unit + n * kLanes, sum[r][n]);
  }
};

template <int N>
void backward_rows(const Backward& b, int64_t first, int64_t rows, float* d_bias, float* d_table) {
  const int64_t units = b.units, from = first * units, size = rows * units;
  std::vector<float> d_cell(b.d_last_cell + from, b.d_last_cell + from + size);
  std::vector<float> d_recurrent(b.d_last_hidden + from, b.d_last_hidden + from + size);
  for (int64_t step = b.steps - 1; step >= 0; --step) {
    const int64_t t = b.reverse ? b.steps - 1 - step : step;
    const int64_t before = b.reverse ? t + 1 : t - 1;
    const float* cells = step ? b.cell + before * b.batch * units : b.cell_0;
    for (int64_t row = 0; row < rows; ++row)
      activation_gradients(b, t, first + row, cells + from + row * units,
                           &d_recurrent[row * units], &d_cell[row * units], d_bias, d_table);
    const float* d_gates = b.d_gates + (t * b.batch + first) * 4 * units;
    for (int64_t unit = 0; unit < units; unit += N * kLanes)
      over_tiles(rows, BackwardTile<N>{b, d_gates, unit, d_recurrent.data()});
  }
  std::copy(d_cell.begin(), d_cell.end(), b.d_cell_0 + from);
  std::copy(d_recurrent.begin(), d_recurrent.end(), b.d_hidden_0 + from);
}

ffi::Error backward(ffi::ThreadPool pool, ffi::Buffer<ffi::S32> tokens,
                    ffi::Buffer<ffi::F32> table, ffi::Buffer<ffi::F32> kernel,
                    ffi::Buffer<ffi::F32> cell_0, ffi::Buffer<ffi::F32> cell,
                    ffi::Buffer<ffi::F32> gates, ffi::Buffer<ffi::F32> d_hidden,
                    ffi::Buffer<ffi::F32> d_last_cell, ffi::Buffer<ffi::F32> d_last_hidden,
                    ffi::ResultBuffer<ffi::F32> d_gates, ffi::ResultBuffer<ffi::F32> d_shared,
                    ffi::ResultBuffer<ffi::F32> d_table, ffi::ResultBuffer<ffi::F32> d_bias,
                    ffi::ResultBuffer<ffi::F32> d_cell_0, ffi::ResultBuffer<ffi::F32> d_hidden_0,
                    bool reverse) {
  const auto dims = cell.dimensions();
  Backward b{dims[0], dims[1], dims[2], reverse};
  const int vectors = b.units % (4 * kLanes) == 0 ? 4 : b.units % (2 * kLanes) == 0 ? 2 : 1;
  const std::vector<float> packed = pack_transposed(kernel.typed_data(), b.units, vectors);
  if (tokens.element_count()) b.drive.tokens = tokens.typed_data();
  b.drive.vocab = table.dimensions()[0];
  b.packed = packed.data();
  b.cell_0 = cell_0.typed_data();
  b.cell = cell.typed_data();
  b.gates = gates.typed_data();
  b.d_hidden = d_hidden.typed_data();
  b.d_last_cell = d_last_cell.typed_data();
  b.d_last_hidden = d_last_hidden.typed_data();
  b.d_gates = d_gates->typed_data();
  b.d_cell_0 = d_cell_0->typed_data();
  b.d_hidden_0 = d_hidden_0->typed_data();
  b.d_shared = d_shared->element_count() ? d_shared->typed_data() : nullptr;
  if (b.d_shared) std::fill_n(b.d_shared, d_shared->element_count(), 0.0f);
  // Each worker sums into its own copy, and copies are added in order: the result does not
  // depend on which thread was faster.
  const int64_t workers = num_workers(pool, b.batch), width = 4 * b.units;
  const int64_t table_size = d_table->element_count(), own = table_size + width;
  std::vector<float> sums(workers * own, 0.0f);
  parallel(pool, workers, [&](int64_t worker) {
    float *own_table = &sums[worker * own], *own_bias = own_table + table_size;
    const int64_t end = share(b.batch, worker + 1, workers);
    for (int64_t row = share(b.batch, worker, workers); row < end; row += kRowsPerWalk) {
      const int64_t rows = std::min(kRowsPerWalk, end - row);
      if (vectors == 4) backward_rows<4>(b, row, rows, own_bias, own_table);
      if (vectors == 2) backward_rows<2>(b, row, rows, own_bias, own_table);
      if (vectors == 1) backward_rows<1>(b, row, rows, own_bias, own_table);
    }
  });
  for (int64_t worker = 1; worker < workers; ++worker)
    for (int64_t i = 0; i < own; ++i) sums[i] += sums[worker * own + i];
  std::copy_n(sums.begin(), table_size, d_table->typed_data());
  std::copy_n(sums.begin() + table_size, width, d_bias->typed_data());
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_forward, forward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::Buffer<ffi::F32>>()  // dense
                                  .Arg<ffi::Buffer<ffi::S32>>()  // tokens
                                  .Arg<ffi::Buffer<ffi::F32>>()  // table
                                  .Arg<ffi::Buffer<ffi::F32>>()  // kernel
                                  .Arg<ffi::Buffer<ffi::F32>>()  // bias
                                  .Arg<ffi::Buffer<ffi::F32>>()  // cell_0
                                  .Arg<ffi::Buffer<ffi::F32>>()  // hidden_0
                                  .Ret<ffi::Buffer<ffi::F32>>()  // last_cell
                                  .Ret<ffi::Buffer<ffi::F32>>()  // hidden
                                  .Ret<ffi::Buffer<ffi::F32>>()  // cell
                                  .Ret<ffi::Buffer<ffi::F32>>()  // gates
                                  .Attr<bool>("reverse"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(lstm_backward, backward,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::Buffer<ffi::S32>>()  // tokens
                                  .Arg<ffi::Buffer<ffi::F32>>()  // table
                                  .Arg<ffi::Buffer<ffi::F32>>()  // kernel
                                  .Arg<ffi::Buffer<ffi::F32>>()  // cell_0
                                  .Arg<ffi::Buffer<ffi::F32>>()  // cell
                                  .Arg<ffi::Buffer<ffi::F32>>()  // gates
                                  .Arg<ffi::Buffer<ffi::F32>>()  // d_hidden
                                  .Arg<ffi::Buffer<ffi::F32>>()  // d_last_cell
                                  .Arg<ffi::Buffer<ffi::F32>>()  // d_last_hidden
                                  .Ret<ffi::Buffer<ffi::F32>>()  // d_gates
                                  .Ret<ffi::Buffer<ffi::F32>>()  // d_shared
                                  .Ret<ffi::Buffer<ffi::F32>>()  // d_table
                                  .Ret<ffi::Buffer<ffi::F32>>()  // d_bias
                                  .Ret<ffi::Buffer<ffi::F32>>()  // d_cell_0
                                  .Ret<ffi::Buffer<ffi::F32>>()  // d_hidden_0
                                  .Attr<bool>("reverse"));
