"""The loops that write tokens: samples, scores and completions, of any `SequenceGenerator`."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from enumeration import chi_square_p, list_sequences, random_generator
from reference_models import randomize
from tiny_models import (
    END,
    V,
    make_attention_generator,
    make_discriminator,
    make_generator,
    make_tokens,
)

from tfseqgan.models.decoding import (
    complete_prefixes,
    decode,
    sample_sequences,
    score_sequences,
)
from tfseqgan.models.policy import Policy
from tfseqgan.objectives.credit import Rollout
from tfseqgan.ops.masking import sequence_mask
from tfseqgan.ops.sampling import row_seeds

SEED = tf.constant([3, 4])
TOKENS = tf.constant(make_tokens(4, rows=6), tf.int32)


class TableGenerator:
    """A table of p(yₜ | yₜ₋₂, yₜ₋₁) that offers the protocol and nothing else; no Keras.

    Its state is the last token that was read; the id V stands for the start.
    """

    def __init__(self, vocabulary_size, end_token_id, pad_token_id=0):
        self.vocabulary_size = vocabulary_size
        self.end_token_id = end_token_id
        self.pad_token_id = pad_token_id
        shape = (vocabulary_size + 1, vocabulary_size + 1, vocabulary_size)
        self.table = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)

    def __call__(self, tokens, training=False):
        started = tf.pad(tokens, [[0, 0], [2, 0]], constant_values=self.vocabulary_size)
        return tf.gather_nd(self.table, tf.stack([started[:, :-2], started[:, 1:-1]], axis=2))

    def token_log_probs(self, tokens, training=False):
        return tf.gather(tf.nn.log_softmax(self(tokens)), tokens, batch_dims=2)

    def sample(self, seeds, length):
        return sample_sequences(self, seeds, length)

    def decoding_cache(self):
        return self.table

    def initial_state(self, num_rows, length):
        return tf.fill([num_rows], self.vocabulary_size)

    def next_logits(self, cache, state, previous):
        return tf.gather_nd(cache, tf.stack([state, previous], axis=1)), previous

    def prefix_states(self, tokens):
        started = tf.pad(tokens, [[0, 0], [1, 0]], constant_values=self.vocabulary_size)
        return lambda length: started[:, length - 1]


GENERATORS = {
    "an LSTM of parts": lambda: randomize(make_generator(), scale=0.8),
    "an LSTM of a table": lambda: randomize(make_generator(token_features=None), scale=0.8),
    "attention": lambda: randomize(make_attention_generator(), scale=0.8),
    "a generator of one's own": lambda: TableGenerator(V, END),
}
every_generator = pytest.mark.parametrize("name", GENERATORS)

SMALL_GENERATORS = {
    "an LSTM": lambda end_token_id: random_generator(0, end_token_id=end_token_id),
    "a generator of one's own": lambda end_token_id: TableGenerator(3, end_token_id),
}
every_small_generator = pytest.mark.parametrize("name", SMALL_GENERATORS)
with_and_without_an_end = pytest.mark.parametrize("end_token_id", [None, 2])


@functools.cache
def generator_of(name):
    """Returns a generator over nine tokens that the tests share."""
    return GENERATORS[name]()


@functools.cache
def small_generator_of(name, end_token_id):
    """Returns a generator over three tokens, all of whose sequences can be listed."""
    return SMALL_GENERATORS[name](end_token_id)


def masked_log_probs(generator, tokens):
    """Returns log p(yₜ | y₍<t₎) by teacher forcing, 0 after the end token."""
    return generator.token_log_probs(tokens) * sequence_mask(tokens, generator.end_token_id)


def sequences_with_prefix(generator, prefix, length):
    """Returns every sequence that begins with a prefix, and its probability given that prefix."""
    everything, mask = list_sequences(generator.vocabulary_size, length, generator.end_token_id)
    log_p = np.sum(Policy(generator).log_prob(everything).numpy() * mask, axis=1)
    begins_with_prefix = (everything[:, : len(prefix)] == prefix).all(axis=1)
    p = np.exp(log_p.astype(np.float64))[begins_with_prefix]

    return everything[begins_with_prefix], p / p.sum()


def frequencies_p(drawn, sequences, probabilities):
    """Returns the p-value of the sequences drawn; rare ones are counted as one."""
    counts = np.array([(drawn == sequence).all(axis=1).sum() for sequence in sequences])
    assert counts.sum() == len(drawn)

    expected = len(drawn) * probabilities
    is_common = expected > 10
    counts = np.append(counts[is_common], counts[~is_common].sum())
    expected = np.append(expected[is_common], expected[~is_common].sum())
    is_enough = expected >= 5

    return chi_square_p(counts[is_enough], expected[is_enough] / expected[is_enough].sum())


@every_generator
def test_step_by_step_the_logits_are_those_of_a_call(name):
    generator = generator_of(name)
    cache = generator.decoding_cache()
    expected = generator(TOKENS)  # [B, T, V]

    state = generator.initial_state(*TOKENS.shape)
    previous = tf.fill([len(TOKENS)], V)
    for t, next_tokens in enumerate(tf.unstack(TOKENS, axis=1)):
        logits, state = generator.next_logits(cache, state, previous)
        np.testing.assert_allclose(logits, expected[:, t], rtol=1e-5, atol=1e-5)
        previous = next_tokens


@every_generator
def test_after_every_prefix_the_logits_are_those_of_a_call(name):
    generator = generator_of(name)
    cache = generator.decoding_cache()
    state_before = generator.prefix_states(TOKENS)
    expected = generator(TOKENS)  # [B, T, V]

    for length in range(1, TOKENS.shape[1]):
        logits, _ = generator.next_logits(cache, state_before(length), TOKENS[:, length - 1])
        np.testing.assert_allclose(logits, expected[:, length], rtol=1e-5, atol=1e-5)


@every_generator
def test_decode_writes_what_is_chosen_up_to_the_end_token(name):
    generator = generator_of(name)
    chosen = tf.constant([[3, 4, END, 5, 6], [7, END, END, 8, 3], [3, 3, 4, 4, 5]])

    tokens, log_probs = decode(generator, 3, 5, lambda t, rows, logits, probs: chosen[:, t])

    assert tokens.numpy().tolist() == [[3, 4, END, 0, 0], [7, END, 0, 0, 0], [3, 3, 4, 4, 5]]
    expected = masked_log_probs(generator, tokens)
    np.testing.assert_allclose(log_probs, expected, rtol=1e-5, atol=1e-5)


def end_at(lengths, num_steps):
    """Returns rows of token 3 that end after so many tokens, int32 [B, T]."""
    is_end = np.arange(1, num_steps + 1) == np.array(lengths)[:, None]

    return tf.constant(np.where(is_end, END, 3), tf.int32)


@every_generator
def test_rows_that_have_ended_are_left_behind_and_the_others_stay_what_they_are(name):
    generator = generator_of(name)
    lengths = [33, 2, 70, 5, 31, 32, 90, 40] * 5
    wanted = end_at(lengths, 100)
    num_offered = []

    def choose(t, rows, logits, probs):
        tf.debugging.assert_equal(tf.shape(logits)[0], tf.size(rows))
        num_offered.append(int(tf.size(rows)))
        return tf.gather(wanted[:, t], rows)

    tokens, log_probs = decode(generator, 40, 100, choose)

    counts = sequence_mask(wanted, END)
    np.testing.assert_array_equal(tokens, wanted * tf.cast(counts, tf.int32))
    expected = masked_log_probs(generator, tokens)
    np.testing.assert_allclose(log_probs, expected, rtol=1e-5, atol=2e-5)
    # 25 rows are longer than 32 tokens, of which 15 are longer than 33, and 10 than 64.
    assert num_offered == [40] * 32 + [32] * 32 + [16] * 26


@every_generator
def test_long_samples_that_end_do_not_depend_on_the_batch(name):
    generator = generator_of(name)
    prompts = tf.constant(make_tokens(2, rows=70, length=75) % 6 + 3, tf.int32)  # that do not end
    prompt_lengths = tf.range(70)
    seeds = row_seeds(1, 70)

    def sample(rows):
        options = {"prompt": prompts[rows], "prompt_lengths": prompt_lengths[rows]}
        return sample_sequences(generator, seeds[rows], 80, **options)

    tokens, log_probs = sample(slice(0, 70))

    lengths = sequence_mask(tokens, END).numpy().sum(axis=1)
    assert lengths.min() < 32 < 64 < lengths.max()
    some = slice(30, 33)
    some_tokens, some_log_probs = sample(some)
    np.testing.assert_array_equal(some_tokens, tokens[some])
    np.testing.assert_array_equal(some_log_probs, log_probs[some])


@every_generator
def test_decode_offers_the_logits_and_the_probabilities_of_each_step(name):
    generator = generator_of(name)
    steps, all_logits, all_probs = [], [], []

    def choose(t, rows, logits, probs):
        steps.append(int(t))
        all_logits.append(logits)
        all_probs.append(probs)
        return tf.argmax(logits, axis=1, output_type=tf.int32)

    tokens, _ = decode(generator, 3, 4, choose)

    num_steps = len(steps)
    expected = generator(tokens)[:, :num_steps]  # of the tokens before the end token
    counts = sequence_mask(tokens, END)[:, :num_steps, None]
    logits = tf.stack(all_logits, axis=1)
    ended = tf.reduce_any(tokens == END, axis=1)
    assert steps == list(range(num_steps))
    assert num_steps == 4 or tf.reduce_all(ended)  # no step is taken when all rows have ended
    np.testing.assert_allclose(logits * counts, expected * counts, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(tf.stack(all_probs, axis=1), tf.nn.softmax(logits), rtol=1e-6)


@every_generator
def test_scores_are_the_log_probs_of_teacher_forcing_up_to_the_end_token_and_0_after(name):
    generator = generator_of(name)
    after_end = 1 - sequence_mask(TOKENS, END)
    noise = tf.cast(after_end, tf.int32) * 4  # ids after the end token must not count
    assert tf.reduce_any(noise > 0)

    found = score_sequences(generator, TOKENS + noise)

    expected = masked_log_probs(generator, TOKENS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert not np.any(found * after_end)


@every_generator
def test_samples_have_the_log_probs_of_teacher_forcing_and_end_in_padding(name):
    generator = generator_of(name)

    tokens, log_probs = sample_sequences(generator, row_seeds(5, 40), 7)

    assert tokens.shape == log_probs.shape == [40, 7]
    expected = masked_log_probs(generator, tokens)
    np.testing.assert_allclose(log_probs, expected, rtol=1e-5, atol=1e-5)
    is_after_end = sequence_mask(tokens, END).numpy() == 0
    assert is_after_end.any()
    assert not tokens.numpy()[is_after_end].any()


@pytest.mark.slow
@every_generator
def test_a_row_begins_with_as_much_of_its_prompt_as_counts(name):
    generator = generator_of(name)
    prompts = tf.constant([[3, 4, 5], [6, 7, 8], [5, 4, 3], [8, 8, 8]])
    prompt_lengths = tf.constant([0, 1, 2, 3])
    seeds = row_seeds(5, 4)

    tokens, _ = sample_sequences(generator, seeds, 6, prompt=prompts, prompt_lengths=prompt_lengths)
    without_prompt, _ = sample_sequences(generator, seeds, 6)

    np.testing.assert_array_equal(tokens[0], without_prompt[0])
    for row, length in enumerate(prompt_lengths):
        np.testing.assert_array_equal(tokens[row, :length], prompts[row, :length])


@pytest.mark.slow
@every_small_generator
@with_and_without_an_end
def test_samples_have_the_generators_probabilities(name, end_token_id):
    generator = small_generator_of(name, end_token_id)
    sample = tf.function(lambda seeds: sample_sequences(generator, seeds, length=3))

    drawn, _ = sample(row_seeds(0, 5000))

    sequences, p = sequences_with_prefix(generator, [], length=3)
    assert frequencies_p(drawn.numpy(), sequences, p) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "every, lengths",
    [(1, [1, 2, 3, 4, 5, 6]), (3, [3, 6]), (4, [4]), (7, []), (9, [])],
)
def test_prefixes_of_every_so_many_tokens_are_completed_and_kept(every, lengths):
    generator = generator_of("an LSTM of parts")
    tokens = make_tokens(0, rows=3, length=7).astype(np.int32)

    drawn = complete_prefixes(generator, tf.constant(tokens), 5, every, SEED).numpy()

    assert drawn.shape == (len(lengths), 5, 3, 7)
    for length, completions in zip(lengths, drawn, strict=True):
        prefixes = np.broadcast_to(tokens[:, :length], (5, 3, length))
        np.testing.assert_array_equal(completions[..., :length], prefixes)


@every_generator
def test_after_the_end_token_a_completion_is_padding(name):
    tokens = tf.constant([[3, END, 5, 6, 3, 4]])  # the ids after the end token are not read

    drawn = complete_prefixes(generator_of(name), tokens, 50, 1, SEED).numpy()[:, :, 0]

    of_one_token = drawn[0]
    ended = 0
    for row in of_one_token:
        end_indices = np.flatnonzero(row == END)
        if len(end_indices):
            ended += 1
            assert not row[end_indices[0] + 1 :].any()
    assert 0 < ended < 50

    for length, completions in enumerate(drawn[1:], start=2):
        assert not completions[:, length:].any()


@every_small_generator
@with_and_without_an_end
@pytest.mark.parametrize("length", [1, 2])
def test_completions_have_the_generators_probabilities(name, end_token_id, length):
    generator = small_generator_of(name, end_token_id)
    tokens = np.array([[1, 0, 1, 1]], np.int32)

    completed = complete_prefixes(generator, tf.constant(tokens), 5000, 1, SEED).numpy()

    drawn = completed[length - 1, :, 0]
    sequences, p = sequences_with_prefix(generator, tokens[0, :length], length=4)
    assert frequencies_p(drawn, sequences, p) > 1e-4


@pytest.mark.slow
def test_the_credit_of_a_step_is_the_mean_reward_of_its_completions():
    generator = random_generator(0, vocabulary_size=V, end_token_id=None)
    discriminator = make_discriminator(end_token_id=None)
    tokens = np.array([[3, 4, 5], [6, 3, 3]], np.int32)
    credit = Rollout(2000)

    logits = credit.logits(discriminator, tf.constant(tokens), generator, SEED)
    values = credit(tf.sigmoid(logits), tf.ones([2, 3])).numpy()

    whole = discriminator(tokens)
    assert logits.shape == [2, 3, 2000]
    np.testing.assert_allclose(credit.sequence_logits(logits), whole, rtol=1e-5)
    np.testing.assert_allclose(values[:, 2], tf.sigmoid(whole), rtol=1e-4)
    for b, t in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        sequences, p = sequences_with_prefix(generator, tokens[b, : t + 1], length=3)
        rewards = tf.sigmoid(discriminator(sequences)).numpy()
        mean = p @ rewards
        standard_error = np.sqrt((p @ rewards**2 - mean**2) / 2000)
        assert abs(values[b, t] - mean) < 4 * standard_error + 1e-6


@pytest.mark.slow
def test_sequences_that_are_completed_in_parts_keep_their_order(monkeypatch):
    generator = generator_of("an LSTM of parts")
    discriminator = make_discriminator()
    tokens = tf.constant(make_tokens(1, rows=5, length=6), tf.int32)
    two_rows_at_a_time = 2 * 3 * 6
    monkeypatch.setattr("tfseqgan.objectives.credit._MOST_COMPLETIONS", two_rows_at_a_time)

    logits = Rollout(3).logits(discriminator, tokens, generator, SEED)

    assert logits.shape == [5, 6, 3]
    whole = np.tile(discriminator(tokens), (3, 1)).T
    np.testing.assert_allclose(logits[:, -1], whole, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_if_no_prefix_is_completed_the_whole_sequence_is_scored(compiled):
    generator = generator_of("an LSTM of parts")
    discriminator = make_discriminator()
    tokens = tf.constant(make_tokens(1, rows=5, length=3), tf.int32)

    def compute_logits(tokens):
        return Rollout(2, every=3).logits(discriminator, tokens, generator, SEED)

    logits = (tf.function(compute_logits) if compiled else compute_logits)(tokens)

    assert logits.shape == [5, 1, 2]
    whole = np.tile(discriminator(tokens), (2, 1)).T
    np.testing.assert_allclose(logits[:, 0], whole, rtol=1e-5)


@pytest.mark.parametrize("arguments", [(0, 1), (4, 0)])
def test_numbers_of_rollouts_below_1_are_refused(arguments):
    with pytest.raises(ValueError, match="must be 1 or more"):
        Rollout(*arguments)


def test_rollouts_refuse_a_discount():
    with pytest.raises(ValueError, match="expected a discount of 1, received 0.9"):
        Rollout()(tf.ones([2, 3, 4]), tf.ones([3, 4]), 0.9)
