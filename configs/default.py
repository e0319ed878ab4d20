"""Every field there is. Other configurations start from here and change what differs.

Run: musicvae --config=hier --config.FIELD.NAME=VALUE
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    # Decides the data order, the transpositions, the initial parameters and all noise.
    config.seed = 0

    config.dataset = dataset = ml_collections.ConfigDict()
    # What to learn from: pairs of a source and a weight, such as
    # (("folk", 1.0), ("lieder", 0.7), ("~/my_songs", 2.0)). An epoch has each window of a
    # source with weight 2 twice, and with weight 0.5 every other one. A source is 'folk',
    # traditional tunes inside the music21 package; 'lieder', 'ceol_rince', 'open_hymnal' or
    # 'openewld', published collections, or 'groove', drums (docs/data.md); or your own music: a
    # path, with a slash, of a folder or a glob. lmd_full, lmd_matched, lmd_aligned and
    # clean_midi are known by their names.
    dataset.sources = (("folk", 1.0),)
    # If given, the only source: a folder or a glob of your own music.
    dataset.path = ""
    # Where published collections are kept, each in a folder of its name.
    dataset.folder = "~/musicvae_data"
    # Collections of music21 for 'folk'. 'essenFolksong' may be added for
    # non-commercial use.
    dataset.collections = ("oneills1850", "ryansMammoth", "airdsAirs")
    # How a file becomes one voice. 'highest': the top line of the likeliest track, as
    # in MusicVAE. 'arpeggio': as in the notebook of 2021, over all tracks of `programs` whose
    # name contains `name_contains`, in C major or A minor. 'monophonic': the same, but chords
    # are refused instead of broken up. 'drums': the drums, for `model.codec` of that name.
    dataset.extraction = "highest"
    dataset.programs = (0,)
    dataset.name_contains = "piano"
    # Where prepared data sets are kept; '' is TFDS's default, ~/tensorflow_datasets.
    dataset.data_dir = ""
    # Each example is transposed by at most that many semitones up or down, anew in each epoch.
    dataset.transpose_semitones = 5
    # Pairs of a name and a weight, such as (("shift", 1.0), ("drop", 0.5)): ways to change
    # training examples, in musicvae_jax/datasets/augmentation.py. The names are
    # borrow_pitches, half_speed, double_speed, shift, scatter, drop, shorten, nudge,
    # move_pitches, octave and transpose; for drums those of drum_augmentation.py beside it.
    dataset.augment = ()
    # Share of the training examples that are changed, each epoch anew. Each of them gets one
    # to three of the ways above, drawn by their weights.
    dataset.augment_share = 0.0

    config.model = model = ml_collections.ConfigDict()
    # 'melody': 90 classes of events; 'roll': 61 classes of sounding pitch; 'drums': 512 sets of
    # pieces of a kit.
    model.codec = "melody"
    # Bars of a melody.
    model.bars = 16
    # Steps of a bar: 16, sixteenths in 4/4; or 12, for 3/4, 6/8, 9/8 and 12/8, and for 4/4 in
    # triplets. What the model learns from is read on such grids (docs/data.md).
    model.steps_per_bar = 16
    # 'global': one latent for the melody; 'per_bar': one for each bar.
    model.latent = "global"
    # Latent dimensions.
    model.z = 128
    # The encoder's bidirectional LSTM, each direction.
    model.encoder_features = 512
    model.encoder_layers = 1
    # Where the encoder's outputs are read. 'final': the final states, or with 'per_bar' each
    # bar's last step; 'bars': each bar's edges, from which a 'global' latent is gathered.
    model.encoder_reads = "final"
    # 'hierarchical': a conductor over bars, and notes within them; 'flat': notes only.
    model.decoder = "hierarchical"
    model.conductor_features = 512
    model.conductor_layers = 1
    # Width to which a latent is mapped before the conductor; 0: not mapped.
    model.conductor_input = 0
    # 'same': every bar is given its whole latent; 'bars': its share of a 'global' one.
    model.conductor_reads = "same"
    # Width to which the conductor's output is mapped; 0: not mapped.
    model.embedding = 0
    model.decoder_features = 512
    model.decoder_layers = 1
    # Whether conductor and decoder begin from tanh(W x) of their input x, or from zeros.
    model.learned_state = True
    # Share of features dropped between layers, one mask for a whole sequence.
    model.dropout = 0.0
    # Share of tokens hidden from the encoder, and of previous tokens from the decoder.
    model.encoder_word_dropout = 0.0
    model.decoder_word_dropout = 0.0
    # Matrix products in 'float32' or 'bfloat16'; parameters and states are float32.
    model.dtype = "float32"
    # 'auto': on CPUs the LSTMs run a loop that is compiled once for the machine;
    # 'scan': plain `nn.scan`;
    # 'rolled': a scan with gradients of its own, as on TPUs;
    # 'unrolled': the same, several steps in a turn of the loop, as on GPUs;
    # 'pallas': on TPUs only, each LSTM as one kernel that keeps its weights on the chip, or
    # 'rolled' if its width does not divide by 128 or the weights are larger than 32 MiB;
    # 'triton': on NVIDIA's GPUs only, each step of an LSTM as one kernel, or 'rolled' if
    # its width does not divide by 64.
    model.lstm = "auto"

    config.train = train = ml_collections.ConfigDict()
    # Parameters to begin with, instead of random ones: the workdir of a training run, or
    # 'pretrained'. They must be of the same `config.model`, but for its `steps_per_bar`.
    train.init_from = ""
    # Over all devices of all hosts.
    train.batch_size = 256
    # Each device divides its share into that many parts, takes one after another, and adds
    # up their gradients: the same step in less memory.
    train.accumulate = 1
    # How a step runs on all devices: 'pmap', or 'mesh' for one `jit` over a mesh of them. Both
    # compute the same, and each goes on from the other's checkpoints.
    train.parallel = "pmap"
    train.num_steps = 20_000
    # Stop cleanly, with a checkpoint, after that many minutes; 0: no limit. The same
    # command continues from there.
    train.max_minutes = 0.0
    # Adam. In each step the rate decays by this factor, from `learning_rate` to
    # `final_learning_rate` (Roberts et al. 2018, section 4).
    train.learning_rate = 1e-3
    train.final_learning_rate = 1e-5
    train.learning_rate_decay = 0.9999
    # The rate rises from 0 over that many steps. Adam's first steps move every parameter by
    # the whole rate, which does no harm to random ones, but much to those of `init_from`.
    train.learning_rate_warmup = 0
    # Gradients are scaled down to this global norm.
    train.clip_norm = 1.0
    # The weight of the KL term: 0 until `beta_start_step`, then linearly up to `beta`
    # at `beta_end_step`.
    train.beta = 0.2
    train.beta_start_step = 0
    train.beta_end_step = 0
    # Bits of KL of a melody that cost nothing.
    train.free_bits = 64.0
    # Probability of feeding back a sample instead of the true token, 'none',
    # 'constant' (at `sampling_rate`), or 'inverse_sigmoid', which rises as
    # 1 - k / (k + exp(step / k)) with k = `sampling_rate`.
    train.sampling = "none"
    train.sampling_rate = 0.0
    # Steps between log lines, and between evaluations, each followed by a checkpoint.
    train.log_every = 100
    train.eval_every = 1_000
    # Validation windows used by an evaluation in training; 0: all.
    train.eval_examples = 1_024

    # The prior over codes of bars, which --mode=train_prior trains for a trained model.
    config.prior = prior = ml_collections.ConfigDict()
    # The transformer: its width, its layers, the heads of its attention.
    prior.features = 256
    prior.layers = 6
    prior.heads = 8
    # Share of features dropped from what each layer adds, in training.
    prior.dropout = 0.1
    # Matrix products of training in 'float32' or 'bfloat16'.
    prior.dtype = "float32"
    # Of each window, so many transpositions are learned from, itself among them; each is
    # encoded before training begins. More than `dataset.transpose_semitones` allows: all.
    prior.transpositions = 4
    # Over all devices.
    prior.batch_size = 256
    prior.num_steps = 20_000
    # Adam, with a rate that rises in the first steps, and falls to 0 along a cosine.
    prior.learning_rate = 1e-3
    prior.learning_rate_warmup = 500
    prior.clip_norm = 1.0
    # The parameters that are kept are a moving average, of which each step keeps this share.
    prior.average = 0.999
    # Steps of one dispatch, and steps between log lines and between evaluations.
    prior.steps_per_call = 50
    prior.log_every = 500
    prior.eval_every = 2_000
    return config
