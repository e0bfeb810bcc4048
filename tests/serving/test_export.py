"""An exported model gives the generator's own tokens, wherever it is loaded."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from enumeration import chi_square_p
from serving_models import (
    LENGTH,
    PROMPT,
    all_nodes,
    assert_same,
    c_request,
    export,
    from_json,
    make_models,
    mixed_inputs,
    plain_inputs,
    prompt_inputs,
    read_meta_graph,
    run_loader,
    sampling_inputs,
    to_json,
)

import tfseqgan as sg
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.serving import export as export_module
from tfseqgan.serving.export import check_graph, export_saved_model

pytestmark = pytest.mark.serving

PAD = 0
START = 1
END = 2
SAMPLING_SIGNATURES = ["sample", "continue", "sample_best"]
OPTIONS = [
    {},
    {"temperature": 0.6},
    {"top_k": 4},
    {"top_p": 0.7},
    {"temperature": 1.7, "top_k": 9, "top_p": 0.9},
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Returns a model of 12 tokens a sample, which begins with the start token."""
    return export(tmp_path_factory.mktemp("exported"), num_candidates=4)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Returns a model of two tokens a sample and nine token ids, so that all can be listed."""
    folder = tmp_path_factory.mktemp("short")

    return export(folder, num_events=6, length=2, prompt=(), num_candidates=2)


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """Returns a model whose samples have no end, without a discriminator."""
    folder = tmp_path_factory.mktemp("endless")

    return export(folder, num_events=6, length=3, end_token_id=None, has_discriminator=False)


def inputs_of(name, num_rows):
    """Returns the inputs of a sampling signature, with different options in every row."""
    inputs = mixed_inputs(num_rows)

    return inputs | prompt_inputs(num_rows) if name == "continue" else inputs


def take_rows(values, rows):
    """Returns some rows of inputs or outputs."""
    return {name: value[list(rows)] for name, value in values.items()}


def list_names(folder):
    """Returns the names in a folder, or none where it does not exist."""
    return sorted(os.listdir(folder)) if folder.exists() else []


# ---- the same tokens everywhere


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", [0, -5, 2**31])
def test_the_loaded_sampler_gives_the_tokens_that_generate_gives(exported, options, seed):
    expected = exported.generator.generate(6, LENGTH, prompt=PROMPT, seed=seed, **options)
    inputs = sampling_inputs(row_seeds(seed, 6).numpy(), **options)

    for name in ("sample", "serving_default"):
        assert exported.ask(name, inputs)["tokens"].tolist() == expected.tolist()


@pytest.mark.slow
@pytest.mark.processes
def test_the_loaded_sampler_needs_neither_keras_nor_tensorflow_probability_nor_tfseqgan(exported):
    inputs = mixed_inputs(9)
    questions = [
        ("sample", plain_inputs(9)),
        ("sample", inputs),
        ("continue", inputs | prompt_inputs(9)),
        ("sample_best", inputs),
    ]
    requests = [(name, to_json(asked)) for name, asked in questions]

    answers = run_loader("serving_plain_loader.py", exported.folder, requests)

    for (name, asked), answer in zip(questions, answers, strict=True):
        expected = exported.ask(name, asked)
        assert_same(from_json(expected, answer), expected)
    first = from_json(["lengths", "log_probs", "tokens"], answers[0])
    generated = exported.generator.generate(9, LENGTH, prompt=PROMPT, seed=7)
    assert first["tokens"].tolist() == generated.tolist()


@pytest.mark.slow
@pytest.mark.processes
def test_the_c_api_gives_the_tokens_that_generate_gives_without_importing_tensorflow(exported):
    inputs = mixed_inputs(9)
    tokens = exported.ask("sample", inputs)["tokens"]
    questions = [
        ("sample", plain_inputs(9)),
        ("sample", inputs),
        ("continue", inputs | prompt_inputs(9)),
        ("sample_best", inputs),
        ("score", {"tokens": tokens}),
        ("discriminate", {"tokens": tokens}),
    ]
    requests = [c_request(exported.folder, name, asked) for name, asked in questions]

    answers = run_loader("serving_c_loader.py", exported.folder, requests)

    for (name, asked), answer in zip(questions, answers, strict=True):
        expected = exported.ask(name, asked)
        found = from_json(expected, answer)
        for key, value in expected.items():
            if value.dtype == np.int32:
                np.testing.assert_array_equal(found[key], value)
            else:  # a session merges operations, and so rounds in another way
                np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-5)
    first = from_json(["lengths", "log_probs", "tokens"], answers[0])
    generated = exported.generator.generate(9, LENGTH, prompt=PROMPT, seed=7)
    assert first["tokens"].tolist() == generated.tolist()


@pytest.mark.slow
@pytest.mark.processes
def test_saved_model_cli_samples_the_tokens_that_generate_gives(exported, tmp_path):
    command = [
        *(sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run"),
        *("--dir", str(exported.folder)),
        *("--tag_set", "serve"),
        *("--signature_def", "sample"),
        *("--outdir", str(tmp_path)),
        "--input_exprs",
        "seed=[[7,0],[7,1]];temperature=[1.0,1.0];top_k=[0,0];top_p=[1.0,1.0]",
    ]

    subprocess.run(command, capture_output=True, check=True)

    expected = exported.generator.generate(2, LENGTH, prompt=PROMPT, seed=7)
    assert np.load(tmp_path / "tokens.npy").tolist() == expected.tolist()


# ---- a row does not depend on its batch


@pytest.mark.slow
@pytest.mark.processes
def test_in_a_session_of_the_c_api_a_row_does_not_depend_on_its_batch_bit_for_bit(exported):
    inputs = mixed_inputs(40)
    batches = [range(40), *([row] for row in range(0, 40, 3)), range(15), range(7, 24)]
    names = ["sample", "sample_best"]
    requests = [
        c_request(exported.folder, name, take_rows(inputs, rows))
        for name in names
        for rows in batches
    ]

    answers = run_loader("serving_c_loader.py", exported.folder, requests)

    for index, name in enumerate(names):
        of_name = answers[index * len(batches) : (index + 1) * len(batches)]
        outputs = exported.signatures[name].structured_outputs
        all_rows, *parts = [from_json(outputs, answer) for answer in of_name]
        for rows, part in zip(batches[1:], parts, strict=True):
            assert_same(part, take_rows(all_rows, rows))


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLING_SIGNATURES)
def test_256_rows_in_one_batch_are_256_single_rows_bit_for_bit(exported, name):
    inputs = inputs_of(name, 256)

    together = exported.ask(name, inputs)
    alone = [exported.ask(name, take_rows(inputs, [row])) for row in range(256)]

    joined = {key: np.concatenate([answer[key] for answer in alone]) for key in together}
    assert_same(together, joined)
    assert len(np.unique(together["tokens"], axis=0)) > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLING_SIGNATURES)
@pytest.mark.parametrize("num_rows", [2, 15, 16, 17, 101])
def test_a_row_depends_neither_on_the_size_of_its_batch_nor_on_its_index(exported, name, num_rows):
    inputs = inputs_of(name, 256)
    rows = np.random.default_rng(num_rows).permutation(256)[:num_rows]

    some = exported.ask(name, take_rows(inputs, rows))

    assert_same(some, take_rows(exported.ask(name, inputs), rows))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["score", "discriminate"])
def test_the_score_and_the_logit_of_a_row_do_not_depend_on_its_batch(exported, name):
    tokens = exported.ask("sample", mixed_inputs(64))["tokens"]
    together = exported.ask(name, {"tokens": tokens})

    for rows in (*([row] for row in range(64)), range(15), range(3, 20), range(33)):
        some = exported.ask(name, {"tokens": tokens[list(rows)]})
        assert_same(some, take_rows(together, rows))


# ---- what the signatures compute


@pytest.mark.slow
def test_the_score_of_a_sample_is_its_own_log_probability_bit_for_bit(exported):
    sample = exported.ask("sample", mixed_inputs(64))

    score = exported.ask("score", {"tokens": sample["tokens"]})

    assert score["log_probs"].tobytes() == sample["log_probs"].tobytes()
    expected = -sample["log_probs"].sum(axis=1) / sample["lengths"]
    np.testing.assert_allclose(score["nll"], expected, rtol=1e-6)


@pytest.mark.slow
def test_the_score_is_the_log_softmax_of_the_generator(exported):
    tokens = exported.ask("sample", mixed_inputs(64))["tokens"]
    log_probs = tf.nn.log_softmax(exported.generator(tokens)).numpy()
    of_tokens = np.take_along_axis(log_probs, tokens[..., None], axis=2)[..., 0]
    is_end = tokens == END
    is_counted = np.cumsum(is_end, axis=1) - is_end == 0

    score = exported.ask("score", {"tokens": tokens})

    expected = np.where(is_counted, of_tokens, 0)
    np.testing.assert_allclose(score["log_probs"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_20000_first_tokens_follow_the_softmax(short):
    tokens = short.ask("sample", plain_inputs(20_000, seed=11))["tokens"]
    softmax = tf.nn.softmax(short.generator(np.zeros((1, 1), np.int32))[0, 0]).numpy()

    assert softmax.max() > 2 * softmax.min()
    assert chi_square_p(np.bincount(tokens[:, 0], minlength=9), softmax) > 1e-4


@pytest.mark.slow
def test_sample_best_keeps_one_of_two_samples_by_the_discriminators_odds(short):
    # Every sequence of two tokens, and its probabilities as a sample and as the one that is kept.
    pairs = [(first, PAD if first == END else second) for first in range(9) for second in range(9)]
    sequences = np.unique(pairs, axis=0).astype(np.int32)
    log_probs = short.ask("score", {"tokens": sequences})["log_probs"]
    logits = short.ask("discriminate", {"tokens": sequences})["logits"]
    sampled = np.exp(log_probs.sum(axis=1, dtype=np.float64))
    odds = np.exp(logits.astype(np.float64))
    is_chosen = odds[:, None] / (odds[:, None] + odds)
    kept = 2 * sampled * (sampled * is_chosen).sum(axis=1)
    assert kept.sum() == pytest.approx(1, abs=1e-5)

    tokens = short.ask("sample_best", plain_inputs(20_000, seed=5))["tokens"]

    index_of = {tuple(row): index for index, row in enumerate(sequences.tolist())}
    indices = [index_of[tuple(row)] for row in tokens.tolist()]
    counts = np.bincount(indices, minlength=len(sequences))
    is_frequent = 20_000 * np.minimum(sampled, kept) > 5

    def merge_rare(values):
        return np.append(values[is_frequent], values[~is_frequent].sum())

    assert chi_square_p(merge_rare(counts), merge_rare(kept / kept.sum())) > 1e-4
    assert chi_square_p(merge_rare(counts), merge_rare(sampled / sampled.sum())) < 1e-6


@pytest.mark.slow
def test_the_logit_of_the_kept_row_is_that_of_the_discriminator(exported):
    best = exported.ask("sample_best", mixed_inputs(20))

    scored = exported.ask("discriminate", {"tokens": best["tokens"]})

    assert best["logits"].tobytes() == scored["logits"].tobytes()
    logits = exported.discriminator(best["tokens"])
    np.testing.assert_allclose(scored["logits"], logits, rtol=1e-4, atol=1e-4)
    probabilities = 1 / (1 + np.exp(-scored["logits"]))
    np.testing.assert_allclose(scored["probabilities"], probabilities, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sample", "sample_best"])
def test_a_row_is_padded_after_its_end_token_which_its_length_counts(exported, name):
    answer = exported.ask(name, plain_inputs(200, seed=0))
    assert 5 < sum(answer["lengths"] < LENGTH) < 195

    rows = zip(answer["tokens"], answer["lengths"], answer["log_probs"], strict=True)
    for tokens, length, log_probs in rows:
        assert length == LENGTH or tokens[length - 1] == END
        assert END not in tokens[: length - 1]
        assert not tokens[length:].any()
        assert not log_probs[length:].any()
        assert (log_probs[:length] < 0).all()
        assert np.isfinite(log_probs).all()


def test_without_an_end_token_every_token_counts(endless):
    sample = endless.ask("sample", plain_inputs(50))
    score = endless.ask("score", {"tokens": sample["tokens"]})

    assert (sample["lengths"] == 3).all()
    assert (sample["tokens"] == END).any()
    assert score["log_probs"].tobytes() == sample["log_probs"].tobytes()
    np.testing.assert_allclose(score["nll"], -sample["log_probs"].mean(axis=1), rtol=1e-6)


@pytest.mark.slow
def test_a_prompt_of_the_start_token_alone_gives_the_sample(exported):
    inputs = mixed_inputs(9)
    start = {"prompt": np.full((9, 1), START, np.int32), "prompt_length": np.ones(9, np.int32)}

    assert_same(exported.ask("continue", inputs | start), exported.ask("sample", inputs))


@pytest.mark.slow
@pytest.mark.parametrize("width", [0, 1, LENGTH])
def test_a_prompt_of_length_0_is_none_whatever_its_tokens_are(exported, width):
    prompt = {"prompt": np.full((9, width), 5, np.int32), "prompt_length": np.zeros(9, np.int32)}

    answer = exported.ask("continue", plain_inputs(9) | prompt)

    expected = exported.generator.generate(9, LENGTH, seed=7)
    assert answer["tokens"].tolist() == expected.tolist()


@pytest.mark.slow
def test_every_row_continues_a_prompt_of_its_own_length(exported):
    prompts = prompt_inputs(40)

    answer = exported.ask("continue", mixed_inputs(40) | prompts)

    rows = zip(answer["tokens"], prompts["prompt"], prompts["prompt_length"], strict=True)
    for tokens, prompt, length in rows:
        assert tokens[:length].tolist() == prompt[:length].tolist()


@pytest.mark.slow
def test_the_padding_of_a_prompt_does_not_count(exported):
    prompts = prompt_inputs(40)
    padded = np.pad(prompts["prompt"], [[0, 0], [0, 7]], constant_values=9)

    assert_same(
        exported.ask("continue", mixed_inputs(40) | prompts | {"prompt": padded}),
        exported.ask("continue", mixed_inputs(40) | prompts),
    )


@pytest.mark.slow
def test_a_prompt_as_long_as_a_sample_is_the_sample(exported):
    full = {
        "prompt": np.full((2, LENGTH), 6, np.int32),
        "prompt_length": np.full(2, LENGTH, np.int32),
    }

    assert (exported.ask("continue", plain_inputs() | full)["tokens"] == 6).all()


@pytest.mark.slow
def test_a_request_without_rows_is_answered_without_rows_by_every_signature(exported):
    sampled = {"tokens": (0, LENGTH), "lengths": (0,), "log_probs": (0, LENGTH)}
    tokens = {"tokens": np.zeros((0, 5), np.int32)}
    prompts = {"prompt": np.zeros((0, 3), np.int32), "prompt_length": np.zeros(0, np.int32)}

    answers = {
        "sample": exported.ask("sample", plain_inputs(0)),
        "sample_best": exported.ask("sample_best", plain_inputs(0)),
        "continue": exported.ask("continue", plain_inputs(0) | prompts),
        "score": exported.ask("score", tokens),
        "discriminate": exported.ask("discriminate", tokens),
    }

    shapes = {
        name: {key: value.shape for key, value in answer.items()}
        for name, answer in answers.items()
    }
    assert shapes == {
        "sample": sampled,
        "sample_best": sampled | {"logits": (0,)},
        "continue": sampled,
        "score": {"log_probs": (0, 5), "nll": (0,)},
        "discriminate": {"logits": (0,), "probabilities": (0,)},
    }


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1e-30, 1e-37, 1.2e-38])
def test_the_lowest_temperatures_give_the_likeliest_tokens(exported, temperature):
    seeds = row_seeds(0, 20).numpy()
    greedy = exported.ask("sample", sampling_inputs(seeds, top_k=1))

    found = exported.ask("sample", sampling_inputs(seeds, temperature=temperature))

    assert found["tokens"].tolist() == greedy["tokens"].tolist()


@pytest.mark.slow
def test_the_signatures_have_these_inputs_and_outputs(exported, endless):
    options = {"seed", "temperature", "top_k", "top_p"}
    sample = {"tokens", "lengths", "log_probs"}
    signatures = read_meta_graph(exported.folder).signature_def

    found = {
        name: (set(signature.inputs), set(signature.outputs))
        for name, signature in signatures.items()
        if name != "__saved_model_init_op"
    }

    assert found == {
        "serving_default": (options, sample),
        "sample": (options, sample),
        "continue": (options | {"prompt", "prompt_length"}, sample),
        "score": ({"tokens"}, {"log_probs", "nll"}),
        "discriminate": ({"tokens"}, {"logits", "probabilities"}),
        "sample_best": (options, sample | {"logits"}),
    }
    assert set(endless.signatures) == {"serving_default", "sample", "continue", "score"}
    tokens = exported.signatures["sample"].structured_outputs["tokens"]
    assert tokens.shape.as_list() == [None, LENGTH]


# ---- bad requests

PROMPTED = {"prompt": np.full((2, 3), 5, np.int32), "prompt_length": np.full(2, 3, np.int32)}
BAD_REQUESTS = [
    ("sample", "temperature", {"temperature": np.float32([1, -1])}),
    ("sample", "temperature", {"temperature": np.float32([1, 0])}),
    ("sample", "temperature", {"temperature": np.float32([1, np.nan])}),
    ("sample", "temperature", {"temperature": np.float32([1, np.inf])}),
    ("sample", "temperature", {"temperature": np.float32([1, 1e-40])}),
    ("sample", "top_p", {"top_p": np.float32([1, 1e-40])}),
    ("sample", "top_p", {"top_p": np.float32([1, 1.01])}),
    ("sample", "top_p", {"top_p": np.float32([0, 1])}),
    ("sample", "top_p", {"top_p": np.float32([np.nan, 1])}),
    ("sample", "top_k", {"top_k": np.int32([-1, 1])}),
    ("sample", "temperature", {"temperature": np.ones(3, np.float32)}),
    ("sample", "temperature", {"temperature": np.ones(1, np.float32)}),
    ("sample", "top_k", {"top_k": np.zeros(1, np.int32)}),
    ("sample", "top_p", {"top_p": np.ones(5, np.float32)}),
    ("sample", "seed", {"seed": np.zeros((2, 3), np.int32)}),
    ("sample", "seed", {"seed": np.zeros(2, np.int32)}),
    ("sample", "temperature", {"temperature": np.ones((2, 1), np.float32)}),
    ("sample", "temperature", {"temperature": np.float32(1)}),
    ("sample_best", "temperature", {"temperature": np.float32([1, -1])}),
    ("sample_best", "top_k", {"top_k": np.zeros(3, np.int32)}),
    ("continue", "top_p", PROMPTED | {"top_p": np.float32([1, 2])}),
    ("continue", "prompt", PROMPTED | {"prompt": np.full((2, 3), 43, np.int32)}),
    ("continue", "prompt", PROMPTED | {"prompt": np.full((2, 3), -1, np.int32)}),
    ("continue", "prompt", PROMPTED | {"prompt": np.full((2, LENGTH + 1), 5, np.int32)}),
    ("continue", "prompt_length", PROMPTED | {"prompt_length": np.int32([3, 4])}),
    ("continue", "prompt_length", PROMPTED | {"prompt_length": np.int32([-1, 3])}),
    ("continue", "prompt_length", PROMPTED | {"prompt_length": np.int32([3])}),
    ("continue", "seed", PROMPTED | {"seed": np.zeros((3, 2), np.int32)}),
    ("score", "tokens", {"tokens": np.int32([[3, 43]])}),
    ("score", "tokens", {"tokens": np.int32([[3, -1]])}),
    ("score", "tokens", {"tokens": np.zeros((2, 0), np.int32)}),
    ("score", "tokens", {"tokens": np.int32([3, 4])}),
    ("discriminate", "tokens", {"tokens": np.int32([[43, 3]])}),
    ("discriminate", "tokens", {"tokens": np.zeros((2, 0), np.int32)}),
]
WRONG_TYPES = [
    ("seed", np.zeros((2, 2), np.int64)),
    ("temperature", np.ones(2, np.int32)),
    ("top_k", np.zeros(2, np.float32)),
]


def complete(wrong):
    """Returns a request that is right except for some inputs."""
    return wrong if "tokens" in wrong else plain_inputs() | wrong


def name_case(value):
    """Returns the name of a case of `BAD_REQUESTS`: the wrong input, which is the last one."""
    return value if isinstance(value, str) else str(list(value.values())[-1].tolist())


@pytest.mark.slow
@pytest.mark.parametrize("name, culprit, wrong", BAD_REQUESTS, ids=name_case)
def test_the_error_of_a_bad_request_names_the_input_and_the_next_request_is_answered(
    exported, name, culprit, wrong
):
    errors = (tf.errors.InvalidArgumentError, TypeError, ValueError)
    with pytest.raises(errors, match=rf"\b{culprit}\b"):
        exported.ask(name, complete(wrong))

    assert exported.ask("sample", plain_inputs())["tokens"].shape == (2, LENGTH)


@pytest.mark.slow
@pytest.mark.parametrize("culprit, value", WRONG_TYPES)
def test_the_error_of_a_wrong_type_comes_from_tensorflow_and_names_only_the_types(
    exported, culprit, value
):
    message = r"input #\d\(zero-based\) was expected to be a \w+ tensor but is a \w+ tensor"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        exported.ask("sample", plain_inputs() | {culprit: value})

    assert exported.ask("sample", plain_inputs())["tokens"].shape == (2, LENGTH)


@pytest.mark.slow
@pytest.mark.processes
def test_through_the_c_api_too_bad_requests_get_their_error_and_the_next_are_answered(exported):
    good = c_request(exported.folder, "sample", plain_inputs())
    requests = []
    for name, _, wrong in BAD_REQUESTS:
        requests += [c_request(exported.folder, name, complete(wrong)), good]
    wrong_type = {"top_k": np.zeros(2, np.float32)}
    requests.append(c_request(exported.folder, "sample", plain_inputs() | wrong_type))

    *answers, type_error = run_loader("serving_c_loader.py", exported.folder, requests)

    cases = zip(BAD_REQUESTS, answers[::2], answers[1::2], strict=True)
    for (name, culprit, wrong), error, next_answer in cases:
        assert isinstance(error, str), (name, wrong)
        assert re.search(rf"(\b|_){culprit}(\b|_)", error), (name, wrong, error)
        _, tokens = next_answer[-1]
        assert np.shape(tokens) == (2, LENGTH)
    # No operation of the graph has run yet, so the message does not name the input.
    assert "to be int32 but float is provided" in type_error


# ---- the file

ALLOWED_OPS = {
    "shapes": """
        BroadcastTo ConcatV2 EnsureShape ExpandDims Fill GatherV2 Pack Pad PadV2 Range Reshape
        ReverseV2 Shape Size Slice Split Squeeze StridedSlice TensorScatterUpdate Tile TopKV2
        Transpose Unpack Where
    """,
    "numbers": """
        AddV2 All Any BiasAdd BitwiseXor Cast Conv2D Cumsum Equal Exp FloorMod Greater GreaterEqual
        Less LessEqual Log LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Min Minimum
        Mul Neg NotEqual Prod RealDiv Relu SelectV2 Sigmoid Softmax Sub Sum Tanh
    """,
    "control": """
        Assert Const Identity IdentityN If NoOp PartitionedCall Placeholder StatefulPartitionedCall
        StatelessIf StatelessWhile TensorListFromTensor TensorListGetItem TensorListReserve
        TensorListSetItem TensorListStack While
    """,
    "variables and files": """
        AssignVariableOp DisableCopyOnRead MergeV2Checkpoints ReadVariableOp RestoreV2 SaveV2 Select
        ShardedFilename StaticRegexFullMatch StringJoin VarHandleOp VarIsInitializedOp
    """,
    "random numbers": """
        BitwiseOr LeftShift StatelessRandomGetKeyCounter StatelessRandomUniformFullIntV2
        StatelessRandomUniformV2
    """,
}


@pytest.mark.slow
def test_the_graph_holds_plain_operations_alone_and_is_tied_to_no_device(exported):
    nodes = all_nodes(read_meta_graph(exported.folder).graph_def)
    allowed = {op for ops in ALLOWED_OPS.values() for op in ops.split()}

    assert {node.op for node in nodes} - allowed == set()
    assert not [node.name for node in nodes if "GPU" in node.device]


@pytest.mark.slow
def test_the_file_holds_no_keras_object_and_no_path_of_this_machine(exported):
    data = (exported.folder / "saved_model.pb").read_bytes()

    assert not re.search(rb"_tf_keras|keras_api|keras_metadata", data)
    assert str(exported.folder.parent).encode() not in data
    assert str(Path(sg.__file__).parent).encode() not in data
    assert set(list_names(exported.folder)) == {
        "assets",
        "assets.extra",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    }


@pytest.mark.slow
def test_the_assets_hold_the_tokenizer(exported):
    path = exported.folder / "assets" / "tokenizer.json"

    assert sg.Tokenizer.load(path) == exported.tokenizer


@pytest.mark.slow
def test_the_warmup_file_holds_a_request_that_the_model_answers(exported):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    path = exported.folder / "assets.extra" / "tf_serving_warmup_requests"

    [record] = tf.data.TFRecordDataset(str(path))
    log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
    request = log.predict_log.request
    inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}

    answer = exported.ask(request.model_spec.signature_name, inputs)

    assert answer["tokens"].shape == (1, LENGTH)


# ---- operations that are refused


def small_graph(body):
    """Returns the graph of a function of float32 [3]."""
    function = tf.function(body, input_signature=[tf.TensorSpec([3])])

    return function.get_concrete_function().graph.as_graph_def()


def cudnn_lstm(x):
    """Calls cuDNN's recurrent network."""
    return tf.raw_ops.CudnnRNNV3(
        input=x[None, None],
        input_h=x[None, None],
        input_c=x[None, None],
        params=x,
        sequence_lengths=[1],
    )[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "named, body",
    [
        ("EagerPyFunc", lambda x: tf.py_function(lambda y: y, [x], tf.float32)),
        ("PyFunc", lambda x: tf.numpy_function(lambda y: y, [x], tf.float32)),
        ("RandomUniform", lambda x: x + tf.random.uniform([3])),
        ("RandomStandardNormal", lambda x: x + tf.random.normal([3])),
        ("TruncatedNormal", lambda x: x + tf.random.truncated_normal([3])),
        ("RandomShuffle", tf.random.shuffle),
        ("Multinomial", lambda x: tf.random.categorical(x[None], 1)),
        ("XLA-compiled", tf.function(lambda x: x + 1, jit_compile=True)),
        ("CudnnRNNV3", cudnn_lstm),
        (
            "RandomUniform",
            lambda x: tf.while_loop(lambda y: True, lambda y: y + tf.random.uniform([3]), [x]),
        ),
    ],
)
def test_the_error_names_an_operation_that_a_server_cannot_run_or_repeat(named, body):
    with pytest.raises(ValueError, match=rf"The graph holds .*{named}"):
        check_graph(small_graph(body))


def test_the_error_names_a_random_generator_with_a_state():
    generator = tf.random.Generator.from_seed(1)

    with pytest.raises(ValueError, match="StatefulUniform|RngReadAndSkip"):
        check_graph(small_graph(lambda x: x + generator.uniform([3])))


@pytest.mark.slow
def test_stateless_random_numbers_are_allowed(exported):
    check_graph(small_graph(lambda x: x + tf.random.stateless_uniform([3], [1, 2], alg="philox")))
    check_graph(read_meta_graph(exported.folder).graph_def)


# ---- the folder


@pytest.fixture(scope="module")
def models():
    """Returns a generator, a discriminator and their tokenizer."""
    return make_models(6)


def test_an_existing_version_is_refused_and_not_touched(tmp_path, models):
    generator, _, tokenizer = models
    (tmp_path / "3").mkdir()

    with pytest.raises(ValueError, match="3 exists; expected a new version"):
        export_saved_model(generator, tokenizer, tmp_path, version=3)

    assert list_names(tmp_path) == ["3"]
    assert list_names(tmp_path / "3") == []


def test_models_and_a_tokenizer_that_do_not_fit_are_refused(tmp_path, models):
    generator, _, tokenizer = models
    _, other_discriminator, other_tokenizer = make_models(7)

    with pytest.raises(ValueError, match="The tokenizer has 10 tokens and the generator 9"):
        export_saved_model(generator, other_tokenizer, tmp_path)
    message = "generator's vocabulary_size is 9 and the discriminator's 10"
    with pytest.raises(ValueError, match=message):
        export_saved_model(generator, tokenizer, tmp_path, discriminator=other_discriminator)

    assert list_names(tmp_path) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 0},
        {"version": -1},
        {"version": "1"},
        {"version": 1.0},
        {"version": True},
        {"version": np.float64(1)},
        {"length": 0},
        {"length": 1.5},
        {"num_candidates": 0},
    ],
    ids=str,
)
def test_a_number_out_of_range_is_refused(tmp_path, models, wrong):
    generator, _, tokenizer = models

    with pytest.raises(ValueError, match="must be whole numbers of 1 or more"):
        export_saved_model(generator, tokenizer, tmp_path, **wrong)

    assert list_names(tmp_path) == []


@pytest.mark.parametrize("prompt", [[9], [-1], [1, 3, 4]], ids=str)
def test_a_prompt_that_no_sample_can_begin_with_is_refused(tmp_path, models, prompt):
    generator, _, tokenizer = models

    with pytest.raises(ValueError, match="prompt must be at most 2 token ids of 0 to 8"):
        export_saved_model(generator, tokenizer, tmp_path, length=2, prompt=prompt)

    assert list_names(tmp_path) == []


@pytest.mark.parametrize(
    "error, raised",
    [
        (tf.errors.ResourceExhaustedError(None, None, "disk full"), OSError),
        (OSError(28, "disk full"), OSError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_an_export_that_fails_leaves_nothing(tmp_path, models, monkeypatch, error, raised):
    generator, _, tokenizer = models

    def fail(module, folder, **_):
        Path(folder).mkdir()
        Path(folder, "saved_model.pb").write_bytes(b"half")
        raise error

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(raised):
        export_saved_model(generator, tokenizer, tmp_path / "model")

    assert list_names(tmp_path / "model") == []


@pytest.mark.slow
def test_a_full_disk_is_an_os_error_and_leaves_nothing(tmp_path, models):
    generator, _, tokenizer = models
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="1 could not be written"):
            export_saved_model(generator, tokenizer, tmp_path / "model", length=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert list_names(tmp_path / "model") == []


@pytest.mark.slow
def test_a_graph_that_is_refused_leaves_nothing(tmp_path, models, monkeypatch):
    generator, _, tokenizer = models
    monkeypatch.setattr(export_module, "_BANNED_OPS", ("MatMul",))

    with pytest.raises(ValueError, match=r"The graph holds MatMul \("):
        export_saved_model(generator, tokenizer, tmp_path / "model", length=2)

    assert list_names(tmp_path / "model") == []


@pytest.mark.slow
def test_a_compiled_function_is_found_in_what_was_saved(tmp_path, models, monkeypatch):
    generator, _, tokenizer = models

    def sample(seeds, *_):
        return seeds * 2, tf.cast(seeds, tf.float32)

    monkeypatch.setattr(generator, "sample", tf.function(sample, jit_compile=True))
    with pytest.raises(ValueError, match="The graph holds XLA-compiled .*sample"):
        export_saved_model(generator, tokenizer, tmp_path / "model", length=2)

    assert list_names(tmp_path / "model") == []


@pytest.mark.slow
def test_a_server_that_watches_the_folder_never_sees_a_half_written_model(
    tmp_path, models, monkeypatch
):
    generator, _, tokenizer = models
    seen = []

    def watched(function):
        def call(*arguments, **options):
            seen.append(list_names(tmp_path))
            result = function(*arguments, **options)
            seen.append(list_names(tmp_path))
            return result

        return call

    steps = [
        (tf.saved_model, "save"),
        (export_module, "check_graph"),
        (export_module, "_write_warmup"),
        (os, "rename"),
    ]
    for owner, name in steps:
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))

    target = export_saved_model(generator, tokenizer, tmp_path, version=12, length=2)

    *before, after = seen
    assert len(seen) >= 8
    assert not [name for names in before for name in names if name[0].isdigit()]
    assert "12" in after
    assert list_names(tmp_path) == ["12"]
    assert target == tmp_path / "12"
    assert tf.saved_model.load(str(target)).signatures
