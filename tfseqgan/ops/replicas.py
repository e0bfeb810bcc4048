"""Many replicas that act as one: each computes its share of a batch's rows, and all of them know every result (tf.distribute).

A function that `map_rows_over_replicas` or `on_replicas` runs is run by every replica at once. Without a strategy there is one replica, whose share is everything, and
every function here is the identity.
"""

import functools
import os

import keras
import tensorflow as tf


def replica_count():
    """Returns how many replicas share a batch.

    Example:
        >>> replica_count()
        1
    """
    return tf.distribute.get_strategy().num_replicas_in_sync


def is_chief():
    """Returns whether this process is the one that writes what all of them know; the only process always is."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict():
        return True
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (first, 0)


def make_strategy(name):
    """Returns a tf.distribute strategy by name: None for the one in scope, "mirrored" for all GPUs of this machine, "multi_worker" for many machines.

    The latter must come before anything else that TensorFlow computes, and finds the others by the environment variable TF_CONFIG.

    Raises:
        ValueError: if there is no TF_CONFIG for "multi_worker", or no strategy of that name.

    Example:
        >>> make_strategy(None).num_replicas_in_sync
        1
    """
    if name is None:
        return tf.distribute.get_strategy()
    if name not in ("mirrored", "multi_worker"):
        raise ValueError(f"There is no strategy {name!r}; expected mirrored or multi_worker.")
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if "TF_CONFIG" not in os.environ:
        raise ValueError(
            'multi_worker needs the environment variable TF_CONFIG; expected {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", '
            '"index": 0}} with this worker\'s own index. docs/distributed.md has a recipe.'
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


WORKER_FAILURES = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
    tf.errors.DeadlineExceededError,
)
"""What TensorFlow raises where another worker has ended."""


def barrier():
    """Returns when every worker has come here."""
    on_replicas(lambda: sum_over_replicas([tf.constant(1)]))


def local_rows(values):
    """Returns, within a replica, its share of rows: replica r of R takes those from ⌊r·B/R⌋ to ⌊(r + 1)·B/R⌋.

    Args:
        values: [B, …].

    Returns:
        [about B/R, …].

    Example:
        >>> local_rows(tf.constant([3, 4])).numpy().tolist()
        [3, 4]
    """
    if replica_count() == 1:
        return values
    values, replica = (
        tf.convert_to_tensor(values),
        tf.distribute.get_replica_context().replica_id_in_sync_group,
    )
    rows = tf.shape(values)[0]
    return values[replica * rows // replica_count() : (replica + 1) * rows // replica_count()]


def gather_rows(values):
    """Returns, within a replica, the rows of all of them, in order: the inverse of `local_rows`. No gradient passes from one replica to another."""
    if replica_count() == 1:
        return values
    return tf.distribute.get_replica_context().all_gather(tf.stop_gradient(values), axis=0)


def own_seed(seed):
    """Returns, within a replica, a seed int32 [2] of its own, for random numbers that do not go by rows."""
    if replica_count() == 1:
        return seed
    return tf.random.experimental.stateless_fold_in(
        seed, tf.distribute.get_replica_context().replica_id_in_sync_group
    )


def sum_over_replicas(values):
    """Returns, within a replica, the sum over all of them of each tensor of a list."""
    if replica_count() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce("sum", values)


def on_first_replica_only(values):
    """Returns, within a replica, tensors that all of them know as the first one has them and zeros elsewhere: for a Keras optimizer, which adds up."""
    if replica_count() == 1:
        return values
    first = tf.distribute.get_replica_context().replica_id_in_sync_group == 0
    return [tf.where(first, value, tf.zeros_like(value)) for value in values]


def on_replicas(function):
    """Runs a function on every replica and returns what it returned, tensors that are the same on all."""
    strategy = tf.distribute.get_strategy()
    return tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], strategy.run(function)
    )


def map_rows_over_replicas(function, *arrays):
    """Returns what a function makes of all rows, each replica computing its own share; called within a replica, what it makes of the rows given.

    Args:
        function: of tensors [B, …] to a tensor or a tuple of tensors [B, …], each row a matter of its own row alone.
        *arrays: [B, …].

    Example:
        >>> map_rows_over_replicas(lambda x: x + 1, tf.constant([3, 4])).numpy().tolist()
        [4, 5]
    """
    if replica_count() == 1 or not tf.distribute.in_cross_replica_context():
        return function(*arrays)
    return on_replicas(
        lambda: tf.nest.map_structure(gather_rows, function(*map(local_rows, arrays)))
    )


def broadcast_from_chief(number):
    """Returns the first worker's number, below 2³¹, on all of them."""
    if replica_count() == 1:
        return number
    return int(
        on_replicas(lambda: sum_over_replicas(on_first_replica_only([tf.constant(number)])))[0]
    )


def check_same_everywhere(**checksums):
    """Raises ValueError on every worker, naming it, unless each number is the same on all of them; None counts as a number."""
    for name, value in checksums.items():
        if (
            replica_count() > 1
            and len(
                set(
                    on_replicas(
                        lambda: gather_rows(tf.constant([-1 if value is None else value], tf.int64))
                    ).numpy()
                )
            )
            > 1
        ):
            raise ValueError(
                f"The workers hold different {name}; expected the same on all of them. Give each the same files."
            )


def under_strategy(function):
    """Returns a function that runs in the scope of its argument `strategy`; where that is None, in the scope that there is.

    Args:
        function: with a keyword argument `strategy`, which it leaves alone.
    """

    @functools.wraps(function)
    def scoped(*args, strategy=None, **options):
        with (strategy or tf.distribute.get_strategy()).scope():
            return function(*args, **options)

    return scoped


def check_created_under_strategy(model):
    """Raises ValueError unless the strategy in scope knows the variables of a compiled model and of its optimizer."""
    strategy, name = tf.distribute.get_strategy(), type(model).__name__.lower()
    for part, variable in (
        (name, model.trainable_variables[0]),
        (f"{name}'s optimizer", model.optimizer.iterations),
    ):
        if replica_count() > 1 and not strategy.extended.variable_created_in_scope(variable.value):
            raise ValueError(
                f"The {part} was not created under the strategy: expected its variables on {replica_count()} replicas. Make and compile the {name} "
                "within 'with strategy.scope():'."
            )


def check_rows_for_all(**batch_sizes):
    """Raises ValueError, naming the argument, unless a batch has a row for every replica."""
    for name, size in batch_sizes.items():
        if size < replica_count():
            raise ValueError(
                f"{name} is {size}, which {replica_count()} replicas share; expected {replica_count()} or more. Raise it, or use fewer replicas."
            )


@keras.saving.register_keras_serializable(package="tfseqgan")
class Dropout(keras.layers.Dropout):
    """Keras' dropout, which drops with several replicas what it would drop with one: each takes its rows of the whole batch's pattern.

    Example:
        >>> Dropout(0.5)(tf.ones([2, 3]), training=False).numpy().tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def call(self, inputs, training=False):
        """float [own rows, …] → the same shape."""
        if (
            replica_count() == 1
            or not training
            or not self.rate
            or tf.distribute.in_cross_replica_context()
        ):
            return super().call(inputs, training=training)
        counts, replica = (
            gather_rows(tf.shape(inputs)[:1]),
            tf.distribute.get_replica_context().replica_id_in_sync_group,
        )
        ones = tf.ones(
            tf.concat([[tf.reduce_sum(counts)], tf.shape(inputs)[1:]], axis=0), inputs.dtype
        )
        pattern = super().call(ones, training=True)[tf.reduce_sum(counts[:replica]) :][
            : tf.shape(inputs)[0]
        ]
        return inputs * tf.ensure_shape(pattern, inputs.shape)
