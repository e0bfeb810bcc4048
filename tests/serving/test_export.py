"""Claims about tfseqgan.export."""

import json
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
    ask,
    assert_same,
    draws,
    export,
    make_models,
    own_draws,
    plain_request,
    prompts,
    read_meta_graph,
)

import tfseqgan as sg
from tfseqgan.ops.sampling import row_seeds
from tfseqgan.serving import export as export_module
from tfseqgan.serving.export import check_graph, export_saved_model

TESTS = Path(__file__).parent
PAD, START, END = 0, 1, 2
DRAWING = {"sample": {}, "continue": prompts(256), "sample_best": {}}
OPTIONS = [
    {},
    {"temperature": 0.6},
    {"top_k": 4},
    {"top_p": 0.7},
    {"temperature": 1.7, "top_k": 9, "top_p": 0.9},
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Samples of twelve tokens that begin with the start token, and a discriminator."""
    return export(tmp_path_factory.mktemp("exported"), num_candidates=4)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Samples of two of nine tokens, so few that all can be listed, and the better of two draws."""
    return export(
        tmp_path_factory.mktemp("short"), num_events=6, length=2, prompt=(), num_candidates=2
    )


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """Samples without an end, and no discriminator."""
    return export(
        tmp_path_factory.mktemp("endless"), num_events=6, length=3, end_token_id=None, judged=False
    )


def as_json(inputs):
    """Returns inputs as the loaders in other processes read them."""
    return {
        name: [str(np.asarray(value).dtype), np.asarray(value).tolist()]
        for name, value in inputs.items()
    }


def run_loader(name, task):
    """Runs a loader in a process of its own and returns what it wrote."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": os.environ["PATH"]}
    result = subprocess.run(
        [sys.executable, TESTS / name],
        input=json.dumps(task),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout)


def c_request(folder, name, inputs):
    """Returns a request as the C loader takes it, by the names of tensors."""
    signature = read_meta_graph(folder).signature_def[name]
    outputs = [signature.outputs[key].name for key in sorted(signature.outputs)]
    return {
        "inputs": {signature.inputs[key].name: value for key, value in as_json(inputs).items()},
        "outputs": outputs,
    }


def as_arrays(names, values):
    """Returns what a loader wrote as NumPy, by name."""
    return {name: np.array(numbers, dtype) for name, (dtype, numbers) in zip(sorted(names), values)}


def rows_of(inputs, rows):
    """Returns some rows of a request."""
    return {name: value[rows] for name, value in inputs.items()}


def listing(folder):
    """Returns the names in a folder, or none where it is missing."""
    return sorted(os.listdir(folder)) if folder.exists() else []


# ---- the same tokens everywhere


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_loaded_sampler_gives_the_tokens_that_generate_gives(exported, options):
    for seed in (0, -5, 2**31):
        expected = exported.generator.generate(6, LENGTH, prompt=PROMPT, seed=seed, **options)
        inputs = draws(row_seeds(seed, 6).numpy(), **options)
        for name in ("sample", "serving_default"):
            assert ask(exported.signatures()[name], inputs)["tokens"].tolist() == expected.tolist()


def test_the_loaded_sampler_needs_neither_keras_nor_tfp_nor_tfseqgan(exported):
    inputs, plain = own_draws(9), draws(row_seeds(7, 9).numpy())
    questions = [
        ("sample", plain),
        ("sample", inputs),
        ("continue", inputs | prompts(9)),
        ("sample_best", inputs),
    ]
    requests = [(name, as_json(asked)) for name, asked in questions]
    answers = run_loader(
        "serving_plain_loader.py", {"model": str(exported.folder), "requests": requests}
    )
    for (name, asked), answer in zip(questions, answers, strict=True):
        expected = ask(exported.signatures()[name], asked)
        assert_same(as_arrays(expected, answer), {key: expected[key] for key in sorted(expected)})
    generated = exported.generator.generate(9, LENGTH, prompt=PROMPT, seed=7)
    assert (
        as_arrays(["lengths", "log_probs", "tokens"], answers[0])["tokens"].tolist()
        == generated.tolist()
    )


def test_the_c_api_gives_the_tokens_that_generate_gives_where_no_tensorflow_is_imported(exported):
    signatures, inputs = exported.signatures(), own_draws(9)
    tokens = ask(signatures["sample"], inputs)["tokens"]
    questions = [
        ("sample", draws(row_seeds(7, 9).numpy())),
        ("sample", inputs),
        ("continue", inputs | prompts(9)),
    ]
    questions += [
        ("sample_best", inputs),
        ("score", {"tokens": tokens}),
        ("discriminate", {"tokens": tokens}),
    ]
    requests = [c_request(exported.folder, *question) for question in questions]
    answers = run_loader(
        "serving_c_loader.py", {"model": str(exported.folder), "requests": requests}
    )
    for (name, asked), answer in zip(questions, answers, strict=True):
        expected, answer = (
            ask(signatures[name], asked),
            as_arrays(signatures[name].structured_outputs, answer),
        )
        for (
            key,
            value,
        ) in (
            expected.items()
        ):  # a session merges operations, so that its log-probabilities are rounded otherwise
            rounding = (
                {"rtol": 0, "atol": 0} if value.dtype == np.int32 else {"rtol": 1e-4, "atol": 1e-5}
            )
            np.testing.assert_allclose(answer[key], value, **rounding)
    generated = exported.generator.generate(9, LENGTH, prompt=PROMPT, seed=7)
    assert (
        as_arrays(["lengths", "log_probs", "tokens"], answers[0])["tokens"].tolist()
        == generated.tolist()
    )


def test_saved_model_cli_samples_the_tokens_that_generate_gives(exported, tmp_path):
    flags = [
        "--dir",
        str(exported.folder),
        "--tag_set",
        "serve",
        "--signature_def",
        "sample",
        "--outdir",
        str(tmp_path),
    ]
    question = "seed=[[7,0],[7,1]];temperature=[1.0,1.0];top_k=[0,0];top_p=[1.0,1.0]"
    command = [
        sys.executable,
        "-m",
        "tensorflow.python.tools.saved_model_cli",
        "run",
        *flags,
        "--input_exprs",
        question,
    ]
    subprocess.run(command, capture_output=True, check=True)
    assert (
        np.load(tmp_path / "tokens.npy").tolist()
        == exported.generator.generate(2, LENGTH, prompt=PROMPT, seed=7).tolist()
    )


# ---- a row is its own


def test_in_a_session_of_the_c_api_a_row_is_its_own_too_bit_for_bit(exported):
    inputs = own_draws(40)
    parts = [range(40), *([row] for row in range(0, 40, 3)), range(15), range(7, 24)]
    requests = [
        c_request(exported.folder, name, rows_of(inputs, list(rows)))
        for name in ("sample", "sample_best")
        for rows in parts
    ]
    answers = run_loader(
        "serving_c_loader.py", {"model": str(exported.folder), "requests": requests}
    )
    for name, found in (("sample", answers[: len(parts)]), ("sample_best", answers[len(parts) :])):
        together, *some = [
            as_arrays(exported.signatures()[name].structured_outputs, answer) for answer in found
        ]
        for rows, answer in zip(parts[1:], some, strict=True):
            assert_same(answer, rows_of(together, list(rows)))


@pytest.mark.parametrize("name", DRAWING)
def test_256_rows_at_once_are_256_single_rows_bit_for_bit(exported, name):
    signature, inputs = exported.signatures()[name], own_draws(256) | DRAWING[name]
    together = ask(signature, inputs)
    alone = [ask(signature, rows_of(inputs, [row])) for row in range(256)]
    assert_same(
        together, {key: np.concatenate([answer[key] for answer in alone]) for key in together}
    )
    assert len(np.unique(together["tokens"], axis=0)) > 100


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("rows", [2, 15, 16, 17, 101])
def test_a_row_does_not_depend_on_how_many_come_with_it_nor_on_its_place(exported, name, rows):
    signature, inputs = exported.signatures()[name], own_draws(256) | DRAWING[name]
    some = np.random.default_rng(rows).permutation(256)[:rows]
    assert_same(ask(signature, rows_of(inputs, some)), rows_of(ask(signature, inputs), some))


@pytest.mark.parametrize("name", ["score", "discriminate"])
def test_a_judged_row_does_not_depend_on_its_batch_either(exported, name):
    signature, tokens = (
        exported.signatures()[name],
        ask(exported.signatures()["sample"], own_draws(64))["tokens"],
    )
    together = ask(signature, {"tokens": tokens})
    for rows in (*([row] for row in range(64)), range(15), range(3, 20), range(33)):
        assert_same(ask(signature, {"tokens": tokens[list(rows)]}), rows_of(together, list(rows)))


# ---- what the signatures say


def test_the_score_of_a_sample_is_the_samplers_own_log_probability_bit_for_bit(exported):
    drawn = ask(exported.signatures()["sample"], own_draws(64))
    scored = ask(exported.signatures()["score"], {"tokens": drawn["tokens"]})
    assert scored["log_probs"].tobytes() == drawn["log_probs"].tobytes()
    np.testing.assert_allclose(
        scored["nll"], -drawn["log_probs"].sum(axis=1) / drawn["lengths"], rtol=1e-6
    )


def test_the_score_is_the_log_softmax_of_the_generator(exported):
    tokens = ask(exported.signatures()["sample"], own_draws(64))["tokens"]
    log_p = tf.nn.log_softmax(exported.generator(tokens)).numpy()
    expected = np.take_along_axis(log_p, tokens[..., None], axis=2)[..., 0]
    counted = np.cumsum(tokens == END, axis=1) - (tokens == END) == 0
    scored = ask(exported.signatures()["score"], {"tokens": tokens})["log_probs"]
    np.testing.assert_allclose(scored, np.where(counted, expected, 0), rtol=1e-4, atol=1e-5)


def test_20000_first_tokens_follow_the_softmax(short):
    first = ask(short.signatures()["sample"], draws(row_seeds(11, 20_000).numpy()))["tokens"][:, 0]
    softmax = tf.nn.softmax(short.generator(np.zeros((1, 1), np.int32))[0, 0]).numpy()
    assert softmax.max() > 2 * softmax.min()
    assert chi_square_p(np.bincount(first, minlength=9), softmax) > 1e-4


def test_sample_best_keeps_one_of_two_draws_by_the_discriminators_odds(short):
    everything = np.array(
        [(first, PAD if first == END else second) for first in range(9) for second in range(9)]
    )
    tokens = np.unique(everything, axis=0).astype(np.int32)
    p = np.exp(
        ask(short.signatures()["score"], {"tokens": tokens})["log_probs"].sum(
            axis=1, dtype=np.float64
        )
    )
    odds = np.exp(
        ask(short.signatures()["discriminate"], {"tokens": tokens})["logits"].astype(np.float64)
    )
    kept = 2 * p * (p * odds[:, None] / (odds[:, None] + odds)).sum(axis=1)
    drawn = ask(short.signatures()["sample_best"], draws(row_seeds(5, 20_000).numpy()))["tokens"]
    numbers = dict(zip(map(tuple, tokens.tolist()), range(len(tokens))))
    counts = np.bincount([numbers[tuple(row)] for row in drawn.tolist()], minlength=len(tokens))
    assert kept.sum() == pytest.approx(1, abs=1e-5)
    often = 20_000 * np.minimum(p, kept) > 5
    cells = lambda values: np.append(values[often], values[~often].sum())  # noqa: E731
    assert chi_square_p(cells(counts), cells(kept / kept.sum())) > 1e-4
    assert chi_square_p(cells(counts), cells(p / p.sum())) < 1e-6


def test_the_logit_of_the_kept_row_is_the_discriminators(exported):
    best = ask(exported.signatures()["sample_best"], own_draws(20))
    judged = ask(exported.signatures()["discriminate"], {"tokens": best["tokens"]})
    assert best["logits"].tobytes() == judged["logits"].tobytes()
    np.testing.assert_allclose(
        judged["logits"], exported.discriminator(best["tokens"]), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        judged["probabilities"], 1 / (1 + np.exp(-judged["logits"])), rtol=1e-5
    )


@pytest.mark.parametrize("name", ["sample", "sample_best"])
def test_a_row_is_padded_behind_its_end_and_its_length_counts_the_end(exported, name):
    answer = ask(exported.signatures()[name], draws(row_seeds(0, 200).numpy()))
    assert 5 < sum(answer["lengths"] < LENGTH) < 195
    for tokens, length, log_probs in zip(answer["tokens"], answer["lengths"], answer["log_probs"]):
        assert length == LENGTH or tokens[length - 1] == END
        assert (
            END not in tokens[: length - 1]
            and not tokens[length:].any()
            and not log_probs[length:].any()
        )
        assert (log_probs[:length] < 0).all() and np.isfinite(log_probs).all()


def test_where_nothing_ends_every_token_counts(endless):
    answer = ask(endless.signatures()["sample"], plain_request(50))
    assert (answer["lengths"] == 3).all() and (answer["tokens"] == END).any()
    scored = ask(endless.signatures()["score"], {"tokens": answer["tokens"]})
    assert scored["log_probs"].tobytes() == answer["log_probs"].tobytes()
    np.testing.assert_allclose(scored["nll"], -answer["log_probs"].mean(axis=1), rtol=1e-6)


def test_a_prompt_of_the_start_token_alone_gives_the_sample(exported):
    inputs = own_draws(9)
    start = {"prompt": np.full((9, 1), START, np.int32), "prompt_length": np.ones(9, np.int32)}
    assert_same(
        ask(exported.signatures()["continue"], inputs | start),
        ask(exported.signatures()["sample"], inputs),
    )


@pytest.mark.parametrize("width", [0, 1, LENGTH])
def test_a_prompt_of_length_0_is_none_whatever_it_holds(exported, width):
    nothing = {"prompt": np.full((9, width), 5, np.int32), "prompt_length": np.zeros(9, np.int32)}
    answer = ask(exported.signatures()["continue"], draws(row_seeds(7, 9).numpy()) | nothing)
    assert answer["tokens"].tolist() == exported.generator.generate(9, LENGTH, seed=7).tolist()


def test_every_row_goes_on_from_a_prompt_of_its_own_length(exported):
    asked, signature = prompts(40), exported.signatures()["continue"]
    answer = ask(signature, own_draws(40) | asked)
    for row, (prompt, length) in enumerate(zip(asked["prompt"], asked["prompt_length"])):
        assert answer["tokens"][row, :length].tolist() == prompt[:length].tolist()
    wider = {
        "prompt": np.pad(asked["prompt"], [[0, 0], [0, 7]], constant_values=9),
        "prompt_length": asked["prompt_length"],
    }
    assert_same(ask(signature, own_draws(40) | wider), answer)


def test_a_prompt_as_long_as_a_sample_is_the_sample(exported):
    full = {
        "prompt": np.full((2, LENGTH), 6, np.int32),
        "prompt_length": np.full(2, LENGTH, np.int32),
    }
    assert (ask(exported.signatures()["continue"], plain_request() | full)["tokens"] == 6).all()


def test_no_rows_give_no_rows(exported):
    answer = ask(exported.signatures()["sample"], plain_request(0))
    assert {name: value.shape for name, value in answer.items()} == {
        "tokens": (0, LENGTH),
        "lengths": (0,),
        "log_probs": (0, LENGTH),
    }


def test_the_signatures_name_their_inputs_and_outputs(exported, endless):
    sample = {"seed", "temperature", "top_k", "top_p"}, {"tokens", "lengths", "log_probs"}
    expected = {
        "serving_default": sample,
        "sample": sample,
        "continue": (sample[0] | {"prompt", "prompt_length"}, sample[1]),
        "score": ({"tokens"}, {"log_probs", "nll"}),
        "discriminate": ({"tokens"}, {"logits", "probabilities"}),
        "sample_best": (sample[0], sample[1] | {"logits"}),
    }
    found = read_meta_graph(exported.folder).signature_def
    found = {
        name: (set(signature.inputs), set(signature.outputs))
        for name, signature in found.items()
        if name != "__saved_model_init_op"
    }
    assert found == expected
    assert set(endless.signatures()) == {"serving_default", "sample", "continue", "score"}
    assert exported.signatures()["sample"].structured_outputs["tokens"].shape.as_list() == [
        None,
        LENGTH,
    ]


# ---- bad requests

PROMPTED = {"prompt": np.full((2, 3), 5, np.int32), "prompt_length": np.full(2, 3, np.int32)}
LONG = {"prompt": np.full((2, LENGTH + 1), 5, np.int32)}
BAD = [
    ("sample", "temperature", {"temperature": np.float32([1, -1])}),
    ("sample", "temperature", {"temperature": np.float32([1, 0])}),
    ("sample", "temperature", {"temperature": np.float32([1, np.nan])}),
    ("sample", "temperature", {"temperature": np.float32([1, np.inf])}),
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
    ("continue", "prompt", PROMPTED | LONG),
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


def bad_request(name, wrong):
    """Returns a request that is in order but for some inputs."""
    return wrong if "tokens" in wrong else plain_request() | wrong


@pytest.mark.parametrize(
    "name, culprit, wrong",
    BAD,
    ids=lambda value: value if isinstance(value, str) else str(list(value.values())[-1].tolist()),
)
def test_a_bad_request_gets_an_error_that_names_the_input_and_the_next_is_served(
    exported, name, culprit, wrong
):
    with pytest.raises(
        (tf.errors.InvalidArgumentError, TypeError, ValueError), match=rf"\b{culprit}\b"
    ):
        ask(exported.signatures()[name], bad_request(name, wrong))
    assert ask(exported.signatures()["sample"], plain_request())["tokens"].shape == (2, LENGTH)


@pytest.mark.parametrize("culprit, value", WRONG_TYPES)
def test_a_wrong_type_is_refused_by_tensorflow_which_names_the_types_alone(
    exported, culprit, value
):
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"input #\d\(zero-based\) was expected to be a \w+ tensor but is a \w+ tensor",
    ):
        ask(exported.signatures()["sample"], plain_request() | {culprit: value})
    assert ask(exported.signatures()["sample"], plain_request())["tokens"].shape == (2, LENGTH)


def test_every_bad_request_gets_its_error_through_the_c_api_too_and_the_session_goes_on(exported):
    requests = []
    for name, _, wrong in BAD:
        requests += [
            c_request(exported.folder, name, bad_request(name, wrong)),
            c_request(exported.folder, "sample", plain_request()),
        ]
    requests.append(
        c_request(exported.folder, "sample", plain_request() | {"top_k": np.zeros(2, np.float32)})
    )
    *answers, wrong_type = run_loader(
        "serving_c_loader.py", {"model": str(exported.folder), "requests": requests}
    )
    for (name, culprit, wrong), error, following in zip(
        BAD, answers[::2], answers[1::2], strict=True
    ):
        assert isinstance(error, str) and re.search(rf"(\b|_){culprit}(\b|_)", error), (
            name,
            wrong,
            error,
        )
        assert np.shape(following[-1][1]) == (2, LENGTH)
    assert re.search(
        "to be int32 but float is provided", wrong_type
    )  # by number, since no operation of ours has run yet


# ---- the file


def test_the_graph_holds_plain_operations_alone_tied_to_no_device(exported):
    graph = read_meta_graph(exported.folder).graph_def
    nodes = [
        *graph.node,
        *(node for function in graph.library.function for node in function.node_def),
    ]
    operations = {node.op for node in nodes}
    shapes = """Reshape Shape StridedSlice Pack Unpack ConcatV2 Tile Pad PadV2 ExpandDims Squeeze BroadcastTo Transpose Fill Range Slice Split
    EnsureShape GatherV2 TopKV2 ReverseV2"""
    numbers = """AddV2 Sub Mul RealDiv FloorMod Neg Exp Log Sigmoid Tanh Relu LogSoftmax Softmax Max Min Sum All Any Prod Maximum Minimum Cumsum Cast
    Less LessEqual Greater GreaterEqual Equal NotEqual LogicalAnd LogicalOr LogicalNot SelectV2 BitwiseXor MatMul BiasAdd Conv2D"""
    control = """Const Placeholder Identity IdentityN NoOp Assert If StatelessIf While StatelessWhile PartitionedCall StatefulPartitionedCall
    TensorListReserve TensorListFromTensor TensorListGetItem TensorListSetItem TensorListStack"""
    state = """VarHandleOp ReadVariableOp AssignVariableOp VarIsInitializedOp DisableCopyOnRead SaveV2 RestoreV2 MergeV2Checkpoints
    ShardedFilename StringJoin StaticRegexFullMatch Select"""
    random = "StatelessRandomUniformV2 StatelessRandomUniformFullIntV2 StatelessRandomGetKeyCounter LeftShift BitwiseOr"
    assert operations - set(" ".join([shapes, numbers, control, state, random]).split()) == set()
    assert not [node.name for node in nodes if "GPU" in node.device]


def test_the_file_holds_no_keras_object_and_no_path_of_this_machine(exported):
    data = (exported.folder / "saved_model.pb").read_bytes()
    assert not re.search(rb"_tf_keras|keras_api|keras_metadata", data)
    assert (
        str(exported.folder.parent).encode() not in data
        and str(Path(sg.__file__).parent).encode() not in data
    )
    assert set(listing(exported.folder)) - {"assets.extra"} == {
        "assets",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    }


def test_the_assets_hold_the_tokenizer(exported):
    assert sg.Tokenizer.load(exported.folder / "assets" / "tokenizer.json") == exported.tokenizer


def test_the_warmup_file_holds_a_request_that_the_model_answers(exported):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    records = tf.data.TFRecordDataset(
        str(exported.folder / "assets.extra" / "tf_serving_warmup_requests")
    )
    [log] = [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]
    request = log.predict_log.request
    answer = ask(
        exported.signatures()[request.model_spec.signature_name],
        {name: tf.make_ndarray(value) for name, value in request.inputs.items()},
    )
    assert answer["tokens"].shape == (1, LENGTH)


def small_graph(body):
    """Returns the graph of a function of a float tensor."""
    return (
        tf.function(body, input_signature=[tf.TensorSpec([3])])
        .get_concrete_function()
        .graph.as_graph_def()
    )


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
        (
            "CudnnRNNV3",
            lambda x: tf.raw_ops.CudnnRNNV3(
                input=x[None, None],
                input_h=x[None, None],
                input_c=x[None, None],
                params=x,
                sequence_lengths=[1],
            )[0],
        ),
        (
            "RandomUniform",
            lambda x: tf.while_loop(lambda y: True, lambda y: y + tf.random.uniform([3]), [x]),
        ),
    ],
)
def test_an_operation_that_a_server_cannot_run_or_repeat_is_named(named, body):
    with pytest.raises(ValueError, match=rf"The graph holds .*{named}"):
        check_graph(small_graph(body))


def test_a_stateful_generator_of_random_numbers_is_named():
    numbers = tf.random.Generator.from_seed(1)
    with pytest.raises(ValueError, match="StatefulUniform|RngReadAndSkip"):
        check_graph(small_graph(lambda x: x + numbers.uniform([3])))


def test_stateless_random_numbers_pass(exported):
    check_graph(small_graph(lambda x: x + tf.random.stateless_uniform([3], [1, 2], alg="philox")))
    check_graph(read_meta_graph(exported.folder).graph_def)


# ---- the folder


@pytest.fixture(scope="module")
def players():
    """A generator, a discriminator and their tokenizer."""
    return make_models(6)


def test_an_existing_version_is_refused_and_untouched(tmp_path, players):
    generator, _, tokenizer = players
    (tmp_path / "3").mkdir()
    with pytest.raises(ValueError, match="3 exists; expected a new version"):
        export_saved_model(generator, tokenizer, tmp_path, version=3)
    assert listing(tmp_path) == ["3"] and listing(tmp_path / "3") == []


def test_parts_that_do_not_fit_are_refused(tmp_path, players):
    generator, discriminator, tokenizer = players
    _, foreign, other = make_models(7)
    with pytest.raises(ValueError, match="The tokenizer knows 10 tokens and the generator 9"):
        export_saved_model(generator, other, tmp_path)
    with pytest.raises(
        ValueError, match="generator's vocabulary_size is 9 and the discriminator's 10"
    ):
        export_saved_model(generator, tokenizer, tmp_path, discriminator=foreign)
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 0},
        {"version": -1},
        {"version": "1"},
        {"version": 1.0},
        {"version": True},
        {"length": 0},
        {"num_candidates": 0},
    ],
    ids=str,
)
def test_a_number_out_of_range_is_refused(tmp_path, players, wrong):
    generator, _, tokenizer = players
    with pytest.raises(ValueError, match="must be whole numbers of 1 or more"):
        export_saved_model(generator, tokenizer, tmp_path, **wrong)
    assert listing(tmp_path) == []


@pytest.mark.parametrize("prompt", [[9], [-1], [1, 3, 4]], ids=str)
def test_a_prompt_that_no_sample_can_begin_with_is_refused(tmp_path, players, prompt):
    generator, _, tokenizer = players
    with pytest.raises(ValueError, match="prompt must be at most 2 token ids of 0 to 8"):
        export_saved_model(generator, tokenizer, tmp_path, length=2, prompt=prompt)
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "disk full"),
        OSError(28, "disk full"),
        KeyboardInterrupt(),
    ],
)
def test_a_failed_export_leaves_nothing(tmp_path, players, monkeypatch, error):
    generator, _, tokenizer = players

    def fail(module, folder, **_):
        Path(folder).mkdir()
        Path(folder, "saved_model.pb").write_bytes(b"half")
        raise error

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OSError):
        export_saved_model(generator, tokenizer, tmp_path / "model")
    assert listing(tmp_path / "model") == []


def test_a_disk_without_room_is_an_os_error_that_leaves_nothing(tmp_path, players):
    generator, _, tokenizer = players
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="1 could not be written"):
            export_saved_model(generator, tokenizer, tmp_path / "model", length=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert listing(tmp_path / "model") == []


def test_a_graph_that_is_refused_leaves_nothing(tmp_path, players, monkeypatch):
    generator, _, tokenizer = players
    monkeypatch.setattr(export_module, "_BANNED_OPS", ("MatMul",))
    with pytest.raises(ValueError, match=r"The graph holds MatMul \("):
        export_saved_model(generator, tokenizer, tmp_path / "model", length=2)
    assert listing(tmp_path / "model") == []


def test_a_compiled_function_is_found_in_what_was_saved(tmp_path, players, monkeypatch):
    generator, _, tokenizer = players

    def sample(seeds, *_):
        return seeds * 2, tf.cast(seeds, tf.float32)

    monkeypatch.setattr(generator, "sample", tf.function(sample, jit_compile=True))
    with pytest.raises(ValueError, match="The graph holds XLA-compiled .*sample"):
        export_saved_model(generator, tokenizer, tmp_path / "model", length=2)
    assert listing(tmp_path / "model") == []


def test_a_server_that_watches_the_folder_never_sees_half_a_model(tmp_path, players, monkeypatch):
    generator, _, tokenizer = players
    seen = []

    def watched(original):
        def call(*arguments, **options):
            seen.append(listing(tmp_path))
            result = original(*arguments, **options)
            seen.append(listing(tmp_path))
            return result

        return call

    for owner, name in (
        (tf.saved_model, "save"),
        (export_module, "check_graph"),
        (export_module, "_write_warmup"),
        (os, "rename"),
    ):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    target = export_saved_model(generator, tokenizer, tmp_path, version=12, length=2)
    *before, after = seen
    assert len(seen) >= 8 and not [
        name for names in before for name in names if re.search(r"^\d", name)
    ]
    assert "12" in after and listing(tmp_path) == ["12"] and target == tmp_path / "12"
    assert tf.saved_model.load(str(target)).signatures
