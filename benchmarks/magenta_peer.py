"""Magenta's MusicVAE, trained on our batches and asked to rebuild our held-out melodies.

Run: python benchmarks/export_batches.py batches.npz             (in the project's environment)
     python magenta_peer.py batches.npz runs/magenta             (in Magenta's)
Needs, under Python 3.11 and apart from the project, of which this file imports nothing:

  pip install tensorflow-cpu==2.15.1 tensorflow-probability==0.23.0 tf_slim==1.1.0 \\
      note-seq==0.0.5 tensorflow-datasets==4.9.3 tensorflow-metadata==1.15.0 \\
      "numpy<2" "protobuf<5"
  pip install --no-deps magenta==2.1.4
  : > "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/magenta/__init__.py"

The last line empties the package's `__init__.py`, which imports all of Magenta and so needs
releases of 2022. The model is theirs, `hierdec-mel_16bar` of `magenta/models/music_vae/
configs.py` (Roberts et al. 2018, arXiv 1803.05428): classes, loss, free bits, weight of the
KL, schedule of the learning rate, clipping. Its widths are an eighth of the published ones,
which gives it 28 % more parameters than `configs/hier.py`, 3,658,586; the batch is ours.

Goes on from the last checkpoint in the folder, and when all batches have been seen writes
`validation.npz` and `test.npz` there, for `model_comparison.py`:

  codec, songs, truth      'melody'; the song of each window; [windows, steps] uint8
  teacher_forced, sampled  [windows, steps] uint8: likeliest tokens given the posterior's mean,
                           after the true tokens or after its own
  nll                      [windows, steps] float32, nats, after the true tokens, of a z drawn once
"""

import argparse
import hashlib
import json
import os
import pathlib
import sys
import time
from importlib import metadata
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import note_seq
import numpy as np
import tensorflow.compat.v1 as tf
import tensorflow_probability as tfp

# Magenta's signatures name an alias that NumPy dropped in 1.24.
with mock.patch.object(np, "bool", bool, create=True):
    from magenta.common import merge_hparams
    from magenta.contrib.training import HParams
    from magenta.models.music_vae import configs, lstm_models
    from magenta.models.music_vae.base_model import MusicVAE

VOCAB, STEPS_PER_BAR = 90, 16
MIN_PITCH, MAX_PITCH = 21, 108
ENCODER_SIZES, DECODER_SIZES = [256, 256], [128, 128]  # published: 2048, 2048 and 1024, 1024
LOG_EVERY, SAVE_EVERY = 10, 25
# Magenta has no argmax: it samples, so cold that only a tie could fall otherwise.
TEMPERATURE = 1e-6
LN_2 = np.log(2)


class RecordedDecoder(lstm_models.CategoricalLstmDecoder):
    """Magenta's own, which also keeps whether its likeliest tokens are right."""

    def __init__(self):
        super().__init__()
        self.hits = []

    def _flat_reconstruction_loss(self, flat_x_target, flat_rnn_output):
        right = tf.equal(tf.argmax(flat_x_target, axis=1), tf.argmax(flat_rnn_output, axis=1))
        self.hits.append(tf.to_float(right))
        return super()._flat_reconstruction_loss(flat_x_target, flat_rnn_output)


def check_vocabulary() -> None:
    """Magenta's classes must be those of the exported tokens, in their order.

    Raises:
      SystemExit: they are not.
    """
    encoding = note_seq.MelodyOneHotEncoding(MIN_PITCH, MAX_PITCH + 1)
    events = [note_seq.MELODY_NO_EVENT, note_seq.MELODY_NOTE_OFF, *range(MIN_PITCH, MAX_PITCH + 1)]
    classes = [encoding.encode_event(event) for event in events]
    if classes != list(range(VOCAB)) or encoding.num_classes != VOCAB:
        sys.exit(f"Magenta's melody classes are {classes}, not 0..{VOCAB - 1}")


def create_model(hparams: HParams, is_training: bool) -> tuple[MusicVAE, RecordedDecoder]:
    """The model of `hierdec-mel_16bar`, built into the default graph, and its inner decoder."""
    core = RecordedDecoder()
    bars = hparams.max_seq_len // STEPS_PER_BAR
    decoder = lstm_models.HierarchicalLstmDecoder(
        core, level_lengths=[bars, STEPS_PER_BAR], disable_autoregression=True
    )
    model = MusicVAE(lstm_models.BidirectionalLstmEncoder(), decoder)
    model.build(hparams, VOCAB, is_training)
    return model, core


def scaled_hparams(args: argparse.Namespace, batch: int) -> HParams:
    """The published hyperparameters with our sizes, batch and, if asked for, learning rate."""
    changed = {
        "batch_size": batch,
        "enc_rnn_size": ENCODER_SIZES,
        "dec_rnn_size": DECODER_SIZES,
        "learning_rate": args.learning_rate,
        "decay_rate": args.decay,
    }
    return merge_hparams(configs.CONFIG_MAP["hierdec-mel_16bar"].hparams, HParams(**changed))


def count_parameters() -> dict[str, int]:
    """Parameters of the default graph by part of the model."""
    counts = {"total": 0}
    for variable in tf.trainable_variables():
        name = variable.op.name
        part = "/".join(name.split("/")[:2])
        counts[part] = counts.get(part, 0) + int(np.prod(variable.shape.as_list()))
        counts["total"] += int(np.prod(variable.shape.as_list()))
    return counts


def session(threads: int) -> tf.Session:
    return tf.Session(
        config=tf.ConfigProto(
            intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
        )
    )


def training_op(model: MusicVAE, optimizer: tf.train.Optimizer) -> tf.Operation:
    """The update of `music_vae_train.train`: by a global norm, dropped if it explodes."""
    gradients, variables = zip(*optimizer.compute_gradients(model.loss), strict=True)
    norm = tf.global_norm(gradients)
    clipped = tf.cond(
        norm < model.hparams.grad_norm_clip_to_zero,
        lambda: tf.clip_by_global_norm(gradients, model.hparams.grad_clip, use_norm=norm)[0],
        lambda: [tf.zeros(tf.shape(gradient)) for gradient in gradients],
    )
    return optimizer.apply_gradients(
        list(zip(clipped, variables, strict=True)), global_step=model.global_step
    )


def summary_values(serialized: bytes) -> dict[str, float]:
    """What Magenta reports to TensorBoard at a step."""
    summary = tf.Summary.FromString(serialized)
    return {value.tag: value.simple_value for value in summary.value}


def train(hparams: HParams, batches: np.ndarray, workdir: pathlib.Path, threads: int) -> None:
    """Takes the steps that are left, one for each batch.

    Args:
      hparams: of the model.
      batches: [steps, batch, tokens] uint8.
      workdir: for checkpoints, and `log.jsonl`: means over the steps since the last line.
      threads: of TensorFlow.
    """
    last = tf.train.latest_checkpoint(workdir)
    start = int(last.rsplit("-", 1)[1]) if last else 0
    if start >= len(batches):
        return
    with tf.Graph().as_default(), session(threads) as sess:
        tf.set_random_seed(start)
        tokens = tf.placeholder(tf.int32, batches.shape[1:])
        one_hot = tf.one_hot(tokens, VOCAB)
        length = tf.fill([hparams.batch_size], hparams.max_seq_len)
        model, core = create_model(hparams, is_training=True)
        update = training_op(model, model.train(one_hot, one_hot, length))
        fetched = [update, tf.reduce_mean(tf.stack(core.hits)), tf.summary.merge_all()]
        counts = count_parameters()
        (workdir / "parameters.json").write_text(json.dumps(counts, indent=2) + "\n")
        print(json.dumps(counts), flush=True)
        saver = tf.train.Saver(max_to_keep=3)
        sess.run(tf.global_variables_initializer())
        if last:
            saver.restore(sess, last)
        rows, begin = [], time.perf_counter()
        for step in range(start, len(batches)):
            _, accuracy, summary = sess.run(fetched, {tokens: batches[step]})
            row = summary_values(summary) | {"accuracy": accuracy}
            if not np.isfinite(row["loss"]):
                sys.exit(f"the loss at step {step} is {row['loss']}")
            rows.append(row)
            if (step + 1) % LOG_EVERY == 0:
                means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
                means["sec_per_step"] = (time.perf_counter() - begin) / len(rows)
                line = json.dumps({"step": step + 1, **means})
                print(line, flush=True)
                with (workdir / "log.jsonl").open("a") as log:
                    log.write(line + "\n")
                rows, begin = [], time.perf_counter()
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == len(batches):
                saver.save(sess, str(workdir / "model"), global_step=step + 1)


class Reconstructor:
    """The trained model over whole batches of windows."""

    def __init__(self, hparams: HParams, checkpoint: str, sess: tf.Session):
        self._sess, self._batch = sess, hparams.batch_size
        self._tokens = tf.placeholder(tf.int32, [self._batch, hparams.max_seq_len])
        self._z = tf.placeholder(tf.float32, [self._batch, hparams.z_size])
        one_hot = tf.one_hot(self._tokens, VOCAB)
        length = tf.fill([self._batch], hparams.max_seq_len)
        model, _ = create_model(hparams, is_training=False)
        posterior = model.encode(one_hot, length)
        prior = tfp.distributions.MultivariateNormalDiag(scale_diag=tf.ones([hparams.z_size]))
        self._posterior = [posterior.loc, posterior.stddev(), posterior.kl_divergence(prior)]
        previous = tf.pad(one_hot[:, :-1], [(0, 0), (1, 0), (0, 0)])
        decoded = model.decoder.reconstruction_loss(previous, one_hot, length, self._z)[-1]
        logits = decoded.rnn_output
        self._likeliest = tf.argmax(logits, axis=-1)
        self._nll = tf.nn.sparse_softmax_cross_entropy_with_logits(self._tokens, logits)
        sampled, _ = model.sample(
            self._batch, hparams.max_seq_len, self._z, temperature=TEMPERATURE
        )
        self._sampled = tf.argmax(sampled, axis=-1)
        tf.train.Saver(tf.trainable_variables()).restore(sess, checkpoint)

    def __call__(self, tokens: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """tokens: [batch, steps] uint8 -> the arrays of the file, without a split's name.

        `is_likeliest` says, [batch, steps], whether a sampled token is the likeliest after
        the sampled ones before it, when these are fed as if they were true.
        """
        run = self._sess.run
        mu, sigma, kl = run(self._posterior, {self._tokens: tokens})
        z = mu + sigma * rng.standard_normal(mu.shape)
        forced, sampled = run([self._likeliest, self._sampled], {self._tokens: tokens, self._z: mu})
        again = run(self._likeliest, {self._tokens: sampled, self._z: mu})
        return {
            "teacher_forced": forced.astype(np.uint8),
            "sampled": sampled.astype(np.uint8),
            "nll": run(self._nll, {self._tokens: tokens, self._z: z}),
            "kl_nats": kl,
            "is_likeliest": again == sampled,
        }


def reconstruct(reconstructor: Reconstructor, windows: np.ndarray, batch: int) -> dict:
    """All windows [windows, steps] of a split, in whole batches; the last one is filled up."""
    rng = np.random.default_rng(0)
    parts = []
    for first in range(0, len(windows), batch):
        rows = np.arange(first, first + batch).clip(max=len(windows) - 1)
        parts.append(reconstructor(windows[rows], rng))
    return {
        name: np.concatenate([part[name] for part in parts])[: len(windows)] for name in parts[0]
    }


def summarize(result: dict, windows: np.ndarray) -> dict[str, float]:
    """A first look; the project's own code measures the file."""
    return {
        "teacher_forced": float((result["teacher_forced"] == windows).mean()),
        "sampled": float((result["sampled"] == windows).mean()),
        "nll_per_token": float(result["nll"].mean()),
        "kl_bits": float(result["kl_nats"].mean() / LN_2),
        "sampled_is_likeliest": float(result["is_likeliest"].mean()),
    }


def evaluate(hparams: HParams, data: np.lib.npyio.NpzFile, workdir: pathlib.Path, threads: int):
    """Writes a file for each split, and prints a first look at it."""
    looks = {}
    with tf.Graph().as_default(), session(threads) as sess:
        reconstructor = Reconstructor(hparams, tf.train.latest_checkpoint(workdir), sess)
        for split in ("test", "validation"):
            result = reconstruct(reconstructor, data[split], hparams.batch_size)
            looks[split] = summarize(result, data[split])
            print(json.dumps({split: looks[split]}), flush=True)
            songs = [name.partition("@")[0] for name in data[f"{split}_ids"]]
            arrays = {name: result[name] for name in ("teacher_forced", "sampled", "nll")}
            arrays |= {"codec": "melody", "songs": np.array(songs), "truth": data[split]}
            temporary = workdir / f".{split}.npz"
            np.savez_compressed(temporary, **arrays)
            temporary.replace(workdir / f"{split}.npz")
    (workdir / "summary.json").write_text(json.dumps(looks, indent=2) + "\n")


def describe(hparams: HParams, batches: np.ndarray, workdir: pathlib.Path) -> None:
    """Writes `about.json`: versions, hyperparameters and a hash of the batches.

    Raises:
      SystemExit: the folder holds a run of others.
    """
    packages = ("magenta", "tensorflow-cpu", "tensorflow-probability", "note-seq", "numpy")
    about = {
        "python": sys.version.split()[0],
        **{package: metadata.version(package) for package in packages},
        "batches_sha256": hashlib.sha256(batches.tobytes()).hexdigest(),
        "hparams": hparams.values(),
    }
    path = workdir / "about.json"
    if path.exists():
        before = json.loads(path.read_text())
        changed = [key for key in about if before.get(key) != about[key]]
        if changed:
            sys.exit(f"{workdir} holds a run that differs in {', '.join(changed)}; choose another")
    path.write_text(json.dumps(about, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("batches", help="the file that export_batches.py wrote")
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--learning_rate", type=float, default=1e-3, help="Magenta's: 1e-3")
    parser.add_argument("--decay", type=float, default=0.9999, help="a step; Magenta's: 0.9999")
    parser.add_argument("--threads", type=int, default=0, help="of TensorFlow; 0: all cores")
    args = parser.parse_args()
    tf.disable_v2_behavior()
    tf.logging.set_verbosity(tf.logging.ERROR)
    check_vocabulary()
    args.workdir.mkdir(parents=True, exist_ok=True)
    data = np.load(args.batches)
    batches = data["train"]
    hparams = scaled_hparams(args, batches.shape[1])
    describe(hparams, batches, args.workdir)
    train(hparams, batches, args.workdir, args.threads)
    evaluate(hparams, data, args.workdir, args.threads)


if __name__ == "__main__":
    main()
