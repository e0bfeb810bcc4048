"""An exported model is looked at before it is loaded: a stranger's program is refused, unrun."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import make_score
from serving_models import export, make_models, read_meta_graph
from tensorflow.core.protobuf import saved_model_pb2
from tiny_models import make_generator_with_grammar

import tfseqgan as sg
from tfseqgan.cli import main as cli
from tfseqgan.serving import saved_model_check
from tfseqgan.serving.export import export_saved_model
from tfseqgan.serving.saved_model_check import (
    FUNCTION_OPERATIONS,
    check_saved_model,
    foreign_parts,
)
from tfseqgan.serving.saved_sampler import newest_version

pytestmark = pytest.mark.serving

ROOT = Path(__file__).parents[2]
EXPORTED_BEFORE = [ROOT / "tests/golden/sampler/1", ROOT / "saved_models/nottingham/2"]
KINDS = {
    "all signatures": {},
    "no prompt, no end": {"prompt": (), "end_token_id": None},
    "no discriminator": {"has_discriminator": False},
}


def write_saved_model(folder, saved_model):
    """Writes a SavedModel's graph."""
    (folder / "saved_model.pb").write_bytes(saved_model.SerializeToString())


def read_saved_model(folder):
    """Returns a SavedModel's graph."""
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((folder / "saved_model.pb").read_bytes())

    return saved_model


@pytest.fixture
def copy(tmp_path):
    """Returns a copy of a sampler's version, to tamper with."""
    return Path(shutil.copytree(EXPORTED_BEFORE[0], tmp_path / "model" / "1"))


# ---- what we write is allowed


@pytest.mark.parametrize("folder", EXPORTED_BEFORE, ids=["golden", "nottingham"])
def test_what_earlier_versions_exported_is_allowed(folder):
    check_saved_model(folder)


@pytest.mark.slow
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_what_this_version_exports_is_allowed(tmp_path, options):
    exported = export(tmp_path, **options)

    check_saved_model(exported.folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"dtype": "mixed_bfloat16"}, {"token_features": None}],
    ids=["parts", "bfloat16", "table"],
)
def test_models_with_long_filters_and_other_embeddings_are_allowed_too(tmp_path, options):
    _, _, tokenizer = make_models(6)
    size = tokenizer.vocabulary_size
    options = {"token_features": tokenizer.token_features} | options
    generator = sg.Generator(size, embedding_dim=4, units=6, **options)
    discriminator = sg.Discriminator(
        size, embedding_dim=4, filters=3, kernel_sizes=(1, 16, 20), **options
    )

    folder = export_saved_model(
        generator, tokenizer, tmp_path, discriminator=discriminator, length=30
    )

    check_saved_model(folder)


@pytest.mark.slow
@pytest.mark.parametrize("interleave", [False, True])
def test_a_generator_with_a_grammar_is_exported_within_the_list_and_samples_what_fits(
    tmp_path, interleave
):
    scores = [make_score(seed, num_notes=9, num_chords=4) for seed in range(4)]
    tokenizer = sg.Tokenizer.fit(scores, interleave=interleave)
    generator = make_generator_with_grammar(tokenizer)
    folder = export_saved_model(generator, tokenizer, tmp_path, length=30)

    sampler = sg.SavedSampler(folder.parent)
    tokens = sampler.generate(5, seed=3, temperature=1e38)

    check_saved_model(folder)
    clock = generator.clock
    codes = clock.grammar(clock.states_before(tokens)).numpy()
    assert (np.take_along_axis(clock.mask[codes], tokens[..., None], axis=2) == 0).all()


def test_no_allowed_operation_reads_writes_or_calls_out():
    registered = {"File", "Save", "Restore", "Py", "Print", "Rpc", "Dataset", "Summary", "Record"}

    assert not [name for name in FUNCTION_OPERATIONS if any(part in name for part in registered)]


# ---- a stranger's program


class WritesWhenLoaded(tf.Module):
    """A model whose resource writes a file when it is initialized."""

    def __init__(self, path):
        super().__init__()
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer([1], [2]), default_value=0
        )
        initializer = self.table._initializer
        initialize = initializer.initialize

        def write_too(table):
            tf.io.write_file(path, "written")
            return initialize(table)

        initializer.initialize = write_too

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def sample(self, key):
        """Looks a key up."""
        return {"tokens": self.table.lookup(key)}


class WritesWhenCalled(tf.Module):
    """A model whose signatures write a file."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.int32, "seed")])
    def sample(self, seed):
        """Writes."""
        tf.io.write_file(self.path, "written")
        return {"tokens": seed}


@pytest.mark.parametrize("module", [WritesWhenLoaded, WritesWhenCalled])
def test_a_model_that_writes_a_file_is_refused_before_it_does(tmp_path, module):
    written = tmp_path / "written"
    model = module(str(written))
    signatures = {"sample": model.sample}
    tf.saved_model.save(model, str(tmp_path / "model" / "1"), signatures=signatures)
    written.unlink(missing_ok=True)

    with pytest.raises(ValueError, match="saved_model.pb holds .*the operation WriteFile"):
        sg.SavedSampler(tmp_path / "model")

    assert not written.exists()


def test_the_command_line_refuses_such_a_model_in_one_sentence(tmp_path, capsys):
    written = tmp_path / "written"
    model = WritesWhenCalled(str(written))
    tf.saved_model.save(model, str(tmp_path / "model" / "1"), signatures={"sample": model.sample})

    for command in (
        ["sample", "--model", str(tmp_path / "model"), "--out", str(tmp_path / "tunes")],
        ["evaluate", "--model", str(tmp_path / "model")],
    ):
        assert cli.main(cli.parse(["tfseqgan", *command])) == 1
        error = capsys.readouterr().err
        assert error.startswith("tfseqgan: ")
        assert "the operation WriteFile" in error
        assert error.count("\n") == 1

    assert not written.exists()


def add_operation(saved_model, op):
    """Adds an operation to the graph itself."""
    saved_model.meta_graphs[0].graph_def.node.add(name="mine", op=op)


def sampling_function(saved_model):
    """Returns a function that samples."""
    functions = saved_model.meta_graphs[0].graph_def.library.function

    return next(function for function in functions if "wrapper_sample" in function.signature.name)


def add_operation_to_a_function(saved_model, op):
    """Adds an operation to a function of the model."""
    sampling_function(saved_model).node_def.add(name="mine", op=op)


def call_the_saver(saved_model, _):
    """Lets a function of the model call the function that writes the variables."""
    library = saved_model.meta_graphs[0].graph_def.library
    [saver] = [
        function.signature.name
        for function in library.function
        if function.signature.name.startswith("__inference__traced_save")
    ]
    node = sampling_function(saved_model).node_def.add(name="mine", op="StatefulPartitionedCall")
    node.attr["f"].func.name = saver


def offer_the_saver(saved_model, _):
    """Makes the function that writes the variables one of the model's own."""
    graph = saved_model.meta_graphs[0].object_graph_def
    graph.concrete_functions["__inference__traced_save_1"].bound_inputs.append(1)


def save_in_a_function(saved_model, _):
    """Lets a function of the model write variables, as the saver may."""
    add_operation_to_a_function(saved_model, "SaveV2")


def add_asset(saved_model, path):
    """Adds a file that the model may read."""
    saved_model.meta_graphs[0].asset_file_def.add(filename=path)


def add_class(saved_model, name):
    """Adds an object of a class that TensorFlow makes when it loads."""
    nodes = saved_model.meta_graphs[0].object_graph_def.nodes
    nodes.add().user_object.identifier = name


def add_resource(saved_model, name):
    """Adds a registered object, which its own code loads."""
    nodes = saved_model.meta_graphs[0].object_graph_def.nodes
    nodes.add(registered_name=name).user_object.identifier = "_generic_user_object"


def remove_objects(saved_model, _):
    """Turns the model into one of TensorFlow 1, where loading runs the graph."""
    saved_model.meta_graphs[0].ClearField("object_graph_def")


TAMPERED = [
    (add_operation, "WriteFile", r"the operation WriteFile \(in the graph\)"),
    (add_operation, "SaveV2", r"the operation SaveV2 \(in the graph\)"),
    (add_operation_to_a_function, "ReadFile", r"the operation ReadFile \(in __inference"),
    (add_operation_to_a_function, "PyFunc", "the operation PyFunc"),
    (add_operation_to_a_function, "DebugIdentityV3", "the operation DebugIdentityV3"),
    (save_in_a_function, "", "the operation SaveV2"),
    (call_the_saver, "", "a call of the saver"),
    (offer_the_saver, "", "the saver as a function"),
    (add_asset, "../../secret", "the asset ../../secret"),
    (add_class, "_tf_keras_model", "an object of the class _tf_keras_model"),
    (add_resource, "tf.StaticHashTable", "an object of the kind tf.StaticHashTable"),
    (remove_objects, "", "no objects, as models of TensorFlow 1"),
]


@pytest.mark.parametrize("tamper, argument, part", TAMPERED)
def test_what_was_added_to_a_model_is_named(copy, monkeypatch, tamper, argument, part):
    saved_model = read_saved_model(copy)
    tamper(saved_model, argument)
    write_saved_model(copy, saved_model)
    monkeypatch.setattr(tf.saved_model, "load", lambda path: pytest.fail("it was loaded"))

    with pytest.raises(ValueError, match=f"1/saved_model.pb holds .*{part}.*was not loaded"):
        sg.SavedSampler(copy.parent)


def test_a_model_as_it_was_exported_holds_nothing_foreign(copy):
    assert foreign_parts(read_meta_graph(copy)) == []


def test_a_graph_larger_than_the_limit_is_not_read_whole(copy, monkeypatch):
    monkeypatch.setattr(saved_model_check, "_MOST_BYTES", 1000)

    with pytest.raises(ValueError, match="saved_model.pb has more than 1,000 bytes"):
        check_saved_model(copy)


def test_two_graphs_are_refused(copy):
    saved_model = read_saved_model(copy)
    saved_model.meta_graphs.append(saved_model.meta_graphs[0])
    write_saved_model(copy, saved_model)

    with pytest.raises(ValueError, match="is damaged .it holds 2 graphs, expected 1.; expected"):
        check_saved_model(copy)


@pytest.mark.slow
def test_a_model_of_somebodys_own_operations_is_exported_with_a_word_on_it(tmp_path, caplog):
    class Clipped(sg.Generator):
        """A generator with an operation that ours has not."""

        def _project(self, outputs, grammar):
            return super()._project(outputs, grammar) + tf.math.erf(0.0 * outputs[0, 0])

    _, _, tokenizer = make_models(6)
    generator = Clipped(tokenizer.vocabulary_size, embedding_dim=4, units=6)

    folder = export_saved_model(generator, tokenizer, tmp_path, length=3)

    assert "the operation Erf" in caplog.text
    with pytest.raises(ValueError, match="the operation Erf"):
        sg.SavedSampler(folder)


# ---- files beside the graph


@pytest.mark.parametrize("file", ["assets.extra/card.json", "assets/tokenizer.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text("[" * 100_000),
        lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["nested deep", "a device", "a folder"],
)
def test_a_file_that_cannot_be_one_of_ours_is_refused_by_name(copy, file, damage):
    damage(copy / file)

    with pytest.raises(ValueError, match=Path(file).name):
        sg.SavedSampler(copy.parent)


@pytest.mark.parametrize("name", ["generator.keras", "pretrained.keras", "config.json"])
def test_the_folder_of_a_run_is_a_run_whatever_else_it_holds(copy, name):
    (copy.parent / name).write_bytes(b"")

    assert newest_version(copy.parent) is None
