"""What a SavedModel holds, looked at before TensorFlow loads it.

A SavedModel is a program: TensorFlow runs what its functions and initializers say, and there are
operations that read, write and delete files. What `export_saved_model` writes needs few operations
and none of these, so every other one is refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import message_factory
from google.protobuf.message import DecodeError

_IN_FUNCTIONS = """
    AddV2 All Any ArgMax Assert BatchMatMulV2 BiasAdd Bitcast BitwiseOr BitwiseXor BroadcastTo
    Cast ConcatV2 Const Conv2D Cumsum EnsureShape Equal Erfc Exp ExpandDims Fill FloorDiv
    FloorMod GatherV2 Greater GreaterEqual Identity IdentityN If LeftShift Less LessEqual Log
    LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mul Neg
    NoOp NotEqual OneHot Pack Pad Range ReadVariableOp RealDiv Relu Reshape RightShift Rsqrt
    SelectV2 Shape Sigmoid Size Softmax Split SplitV SquaredDifference Squeeze
    StatefulPartitionedCall StatelessIf StatelessRandomUniformFullIntV2
    StatelessRandomUniformV2 StatelessWhile StopGradient StridedSlice Sub Sum Tanh
    TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem TensorListStack
    TensorScatterUpdate Tile TopKV2 Transpose Unpack Where While
"""

_IN_THE_GRAPH = """
    AssignVariableOp Const NoOp Placeholder ReadVariableOp StatefulPartitionedCall VarHandleOp
    VarIsInitializedOp
"""

_IN_THE_SAVER = """
    AssignVariableOp Const DisableCopyOnRead Identity MergeV2Checkpoints NoOp Pack ReadVariableOp
    RestoreV2 SaveV2 Select ShardedFilename StaticRegexFullMatch StringJoin
"""

FUNCTION_OPERATIONS = frozenset(_IN_FUNCTIONS.split())
"""The operations in the functions that `export_saved_model` writes, of all versions since 0.1.0."""

GRAPH_OPERATIONS = frozenset(_IN_THE_GRAPH.split())
"""Those in the graph around them, which servers run."""

SAVER_OPERATIONS = frozenset(_IN_THE_SAVER.split())
"""Those in the two functions that save and restore the variables. They read and write files, and
only a server's own code calls them: `tf.saved_model.load` reads the variables itself."""

_SAVER_PREFIXES = ("__inference__traced_save", "__inference__traced_restore")

_ALLOWED_OBJECTS = {"asset", "bare_concrete_function", "user_object", "variable"}

_ALLOWED_CLASSES = {"_generic_user_object", "signature_map", "trackable_list_wrapper"}

_ALLOWED_ASSETS = {"tokenizer.json"}

_MOST_NAMED = 12

_MOST_BYTES = 2**26
"""A model of 100,000 tokens with their parts stays below this."""


def damage_error(folder: Path, reason: object) -> ValueError:
    """Returns the error of an exported model that is damaged.

    Args:
        folder: that of the version.
        reason: what was noticed.

    Example:
        >>> print(damage_error(Path("model/1"), "it is empty"))
        model/1/saved_model.pb or model/1/variables is damaged (it is empty); expected ...
    """
    return ValueError(
        f"{folder / 'saved_model.pb'} or {folder / 'variables'} is damaged ({reason}); expected "
        "what export_saved_model wrote. Fetch the folder again, or export the model again."
    )


def read_meta_graph(folder: Path) -> Any:
    """Reads the graph of a SavedModel, and loads nothing.

    Args:
        folder: that of one version, which holds `saved_model.pb`.

    Returns:
        The only `MetaGraphDef` of it.

    Raises:
        ValueError: if it is damaged, or larger than 64 MiB.
        OSError: if it cannot be read.
    """
    with open(folder / "saved_model.pb", "rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(
            f"{folder / 'saved_model.pb'} has more than {_MOST_BYTES:,} bytes; expected a graph "
            "that export_saved_model wrote. It was not loaded."
        )

    pool = tf.compat.v1.MetaGraphDef.DESCRIPTOR.file.pool
    message = pool.FindMessageTypeByName("tensorflow.SavedModel")
    saved_model = message_factory.GetMessageClass(message)()
    try:
        saved_model.ParseFromString(data)
    except DecodeError as error:
        raise damage_error(folder, error) from error
    if len(saved_model.meta_graphs) != 1:
        raise damage_error(folder, f"it holds {len(saved_model.meta_graphs)} graphs, expected 1")

    return saved_model.meta_graphs[0]


def _is_saver(name):
    """Returns whether a function of this name saves or restores the variables."""
    return name.startswith(_SAVER_PREFIXES)


def _called_functions(node):
    """Returns the names of the functions that an operation calls."""
    names = []
    for value in node.attr.values():
        names += [value.func.name] if value.HasField("func") else []
        names += [function.name for function in value.list.func]

    return names


def _foreign_operations(graph_def: Any) -> Iterator[str]:
    """Yields what a graph and its functions hold beyond the allowed operations, each once."""
    seen = set()
    graphs = {"the graph": (graph_def.node, GRAPH_OPERATIONS)}
    for function in graph_def.library.function:
        name = function.signature.name
        allowed = SAVER_OPERATIONS if _is_saver(name) else FUNCTION_OPERATIONS
        graphs[name] = (function.node_def, allowed)

    for name, (nodes, allowed) in graphs.items():
        for node in nodes:
            if node.op not in allowed and node.op not in seen:
                seen.add(node.op)
                yield f"the operation {node.op} (in {name})"
            if name != "the graph" and any(map(_is_saver, _called_functions(node))):
                yield f"a call of the saver (in {name})"


def _foreign_objects(meta_graph: Any) -> Iterator[str]:
    """Yields what the objects of a model are beyond variables, functions and the tokenizer."""
    graph = meta_graph.object_graph_def
    for name in graph.concrete_functions:
        if _is_saver(name):
            yield f"the saver as a function ({name})"

    for node in graph.nodes:
        kind = node.WhichOneof("kind")
        if kind not in _ALLOWED_OBJECTS or node.registered_name or node.saveable_objects:
            yield f"an object of the kind {node.registered_name or kind}"
        elif kind == "user_object" and node.user_object.identifier not in _ALLOWED_CLASSES:
            yield f"an object of the class {node.user_object.identifier}"

    for asset in meta_graph.asset_file_def:
        if asset.filename not in _ALLOWED_ASSETS:
            yield f"the asset {asset.filename}"


def foreign_parts(meta_graph: Any) -> list[str]:
    """Returns what a SavedModel holds that `export_saved_model` never writes, in words.

    Args:
        meta_graph: a `MetaGraphDef`.

    Example:
        >>> meta_graph = tf.compat.v1.MetaGraphDef()
        >>> _ = meta_graph.object_graph_def.nodes.add().user_object
        >>> meta_graph.object_graph_def.nodes[0].user_object.identifier = "signature_map"
        >>> meta_graph.graph_def.node.add(op="WriteFile").name
        ''
        >>> foreign_parts(meta_graph)
        ['the operation WriteFile (in the graph)']
    """
    parts = [*_foreign_operations(meta_graph.graph_def), *_foreign_objects(meta_graph)]
    if not meta_graph.HasField("object_graph_def"):  # TensorFlow 1, where loading runs the graph
        parts.append("no objects, as models of TensorFlow 1")

    return list(dict.fromkeys(parts))


def check_saved_model(folder: Path) -> None:
    """Raises ValueError if a SavedModel holds what `export_saved_model` never writes.

    Nothing is loaded, so that nothing of it is run.

    Args:
        folder: that of one version, which holds `saved_model.pb`.

    Raises:
        ValueError: if it is damaged, larger than 64 MiB, or holds something else, which the message
            names.
        OSError: if it cannot be read.
    """
    parts = foreign_parts(read_meta_graph(folder))
    if parts:
        raise ValueError(
            f"{folder / 'saved_model.pb'} holds {', '.join(parts[:_MOST_NAMED])}; expected only "
            "what export_saved_model writes. A SavedModel is a program; this one was not loaded. "
            "If you trust it, load it by tf.saved_model.load."
        )
