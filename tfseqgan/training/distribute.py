"""tf.distribute, here and nowhere else: many replicas that train as one device would.

Each replica computes its share of a batch's rows. A function that `map_rows_over_replicas` or
`run_on_replicas` runs is run by every replica at once. Without a strategy there is one replica,
which has all rows, and every function here is the identity.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

WORKER_FAILURES = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
    tf.errors.DeadlineExceededError,
)
"""What TensorFlow raises when another worker has ended."""


def make_strategy(name: str | None) -> tf.distribute.Strategy:
    """Returns a tf.distribute strategy by name.

    Args:
        name: None for the strategy in scope, "mirrored" for all GPUs of this machine,
            "multi_worker" for several machines. The last must be made before TensorFlow computes
            anything, and finds the others by the environment variable TF_CONFIG.

    Raises:
        ValueError: if there is no TF_CONFIG for "multi_worker", or no strategy of that name.

    Example:
        >>> make_strategy(None).num_replicas_in_sync
        1
    """
    if name is None:
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name != "multi_worker":
        raise ValueError(f"There is no strategy {name!r}; expected mirrored or multi_worker.")
    if "TF_CONFIG" not in os.environ:
        raise ValueError(
            "multi_worker needs the environment variable TF_CONFIG; expected "
            '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}} '
            "with this worker's own index. docs/distributed.md has a recipe."
        )

    return tf.distribute.MultiWorkerMirroredStrategy()


def under_strategy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function run in the scope of its keyword argument `strategy`.

    Args:
        function: with a keyword argument `strategy`, which it does not use itself. Where that is
            None it runs in the scope that there is.
    """

    @functools.wraps(function)
    def scoped(*args, strategy=None, **options):
        with (strategy or tf.distribute.get_strategy()).scope():
            return function(*args, **options)

    return scoped


def replica_count() -> int:
    """Returns how many replicas share a batch.

    Example:
        >>> replica_count()
        1
    """
    return tf.distribute.get_strategy().num_replicas_in_sync


def is_chief() -> bool:
    """Returns whether this process is the one that writes files; the only process always is."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict():
        return True

    has_chief = "chief" in resolver.cluster_spec().jobs
    first = "chief" if has_chief else "worker"

    return (resolver.task_type, resolver.task_id) == (first, 0)


def _replica_index() -> tf.Tensor:
    """Returns the index of the replica that runs this, int32 []."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def run_on_replicas(function: Callable[[], Any]) -> Any:
    """Runs a function on every replica.

    Args:
        function: without arguments; returns tensors that are the same on all replicas.

    Returns:
        What the first replica of this process returned.
    """
    strategy = tf.distribute.get_strategy()
    results = strategy.run(function)

    return tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], results
    )


def local_rows(values: tf.Tensor) -> tf.Tensor:
    """Returns, within a replica, its share of the rows.

    Replica r of R takes the rows from ⌊r·B/R⌋ to ⌊(r + 1)·B/R⌋.

    Args:
        values: [B, …].

    Returns:
        [about B/R, …].

    Example:
        >>> local_rows(tf.constant([3, 4])).numpy().tolist()
        [3, 4]
    """
    count = replica_count()
    if count == 1:
        return values

    values = tf.convert_to_tensor(values)
    num_rows = tf.shape(values)[0]
    index = _replica_index()

    return values[index * num_rows // count : (index + 1) * num_rows // count]


def gather_rows(values: tf.Tensor) -> tf.Tensor:
    """Returns, within a replica, the rows of all replicas in order: the inverse of `local_rows`.

    No gradient passes from one replica to another.
    """
    if replica_count() == 1:
        return values

    return tf.distribute.get_replica_context().all_gather(tf.stop_gradient(values), axis=0)


def local_seed(seed: tf.Tensor) -> tf.Tensor:
    """Returns, within a replica, a seed int32 [2] of its own, for draws that are not by row."""
    if replica_count() == 1:
        return seed

    return tf.random.experimental.stateless_fold_in(seed, _replica_index())


def sum_over_replicas(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns, within a replica, the sum over all replicas of each tensor of a list."""
    if replica_count() == 1:
        return values

    return tf.distribute.get_replica_context().all_reduce("sum", values)


def on_first_replica_only(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns, within a replica, tensors as they are on the first one and zeros on the others.

    For a Keras optimizer, which adds the gradients of all replicas: it is given the whole gradient
    by one of them.
    """
    if replica_count() == 1:
        return values

    is_first = _replica_index() == 0

    return [tf.where(is_first, value, tf.zeros_like(value)) for value in values]


def map_rows_over_replicas(function: Callable[..., Any], *arrays: tf.Tensor) -> Any:
    """Applies a function of rows, each replica computing its own share.

    Args:
        function: from tensors [B, …] to a tensor or a tuple of tensors [B, …]; each row of the
            result depends on its own row alone.
        *arrays: [B, …].

    Returns:
        The results of all rows.

    Example:
        >>> map_rows_over_replicas(lambda x: x + 1, tf.constant([3, 4])).numpy().tolist()
        [4, 5]
    """
    if replica_count() == 1:
        return function(*arrays)

    def map_local_rows():
        results = function(*(local_rows(array) for array in arrays))
        return tf.nest.map_structure(gather_rows, results)

    return run_on_replicas(map_local_rows)


def barrier() -> None:
    """Returns when every worker has called it."""
    run_on_replicas(lambda: sum_over_replicas([tf.constant(1)]))


def broadcast_from_chief(number: int) -> int:
    """Returns the first worker's number, below 2³¹, on all of them."""
    if replica_count() == 1:
        return number

    def broadcast():
        return sum_over_replicas(on_first_replica_only([tf.constant(number)]))

    return int(run_on_replicas(broadcast)[0])


def _gather_from_workers(number: int) -> list[int]:
    """Returns one number of each replica."""
    gathered = run_on_replicas(lambda: gather_rows(tf.constant([number], tf.int64)))

    return gathered.numpy().tolist()


def check_same_on_workers(**checksums: int | None) -> None:
    """Raises ValueError on every worker, naming it, unless each number is the same on all of them.

    Args:
        **checksums: numbers by the name of what they stand for; None counts as a number.
    """
    if replica_count() == 1:
        return

    for name, checksum in checksums.items():
        number = -1 if checksum is None else checksum
        if len(set(_gather_from_workers(number))) > 1:
            raise ValueError(
                f"The workers hold different {name}; expected the same on all of them. "
                "Give each the same files."
            )


def check_created_under_strategy(model: Any) -> None:
    """Raises ValueError unless a model and its optimizer were made under the strategy in scope."""
    if replica_count() == 1:
        return

    extended = tf.distribute.get_strategy().extended
    name = type(model).__name__.lower()
    variables = {
        name: model.trainable_variables[0],
        f"{name}'s optimizer": model.optimizer.iterations,
    }
    for part, variable in variables.items():
        if not extended.variable_created_in_scope(variable.value):
            raise ValueError(
                f"The {part} was not created under the strategy: expected its variables on "
                f"{replica_count()} replicas. Make and compile the {name} within "
                "'with strategy.scope():'."
            )


def check_rows_for_all_replicas(**batch_sizes: int) -> None:
    """Raises ValueError, naming the argument, unless a batch has a row for every replica."""
    count = replica_count()
    for name, size in batch_sizes.items():
        if size < count:
            raise ValueError(
                f"{name} is {size}, which {count} replicas share; expected {count} or more. "
                "Raise it, or use fewer replicas."
            )
