"""What is refused before training starts, and before a checkpoint could keep what diverged."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfseqgan.models.checks import check_offers, check_same_vocabulary
from tfseqgan.models.graphs import check_process
from tfseqgan.training.distribute import check_created_under_strategy


def check_generator(generator: Any) -> None:
    """Raises TypeError unless a generator offers what training needs, ValueError if not compiled.

    What else a recipe needs, it asks for when it needs it: `kl_control` a `get_config`, rollouts
    the methods that decode.
    """
    check_offers(
        generator,
        "vocabulary_size",
        "pad_token_id",
        "end_token_id",
        "token_log_probs",
        "nll",
        "sample",
        "seed_dropout",
    )
    check_compiled(generator)


def check_compiled(model: keras.Model) -> None:
    """Raises ValueError unless a model has an optimizer that training can use.

    The optimizer must have been made under the strategy in scope, and must need no scaled loss.
    Its variables are created, so that they can be restored.

    Raises:
        RuntimeError: if this process was forked after a model was used.
    """
    check_process()
    name = type(model).__name__.lower()
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            f"The {name} is not compiled: an optimizer is expected. "
            f"Call {name}.compile('adam') first."
        )
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        raise ValueError(
            "mixed_float16 needs a loss that is scaled, which tfseqgan does not do; "
            "expected dtype='mixed_bfloat16', or none."
        )

    check_created_under_strategy(model)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def check_trainable_pair(generator: Any, discriminator: Any) -> None:
    """Raises ValueError unless two models fit each other and each has its own optimizer."""
    check_generator(generator)
    check_same_vocabulary(generator, discriminator)
    check_compiled(discriminator)
    if generator.optimizer is discriminator.optimizer:
        raise ValueError(
            "Generator and discriminator were compiled with the same optimizer object; "
            "expected one each. Make a second optimizer."
        )


def check_batch(tokens: np.ndarray, batch_size: int, argument: str = "batch_size") -> None:
    """Raises ValueError unless there are at least as many sequences as a batch takes."""
    if not 1 <= batch_size <= len(tokens):
        raise ValueError(
            f"{argument} is {batch_size} and the data holds {len(tokens)} sequences; expected 1 "
            f"to {len(tokens)}. Lower the batch size, or bring more data (a smaller window length "
            "gives more windows)."
        )


def _are_finite(model: keras.Model) -> bool:
    """Returns whether the weights of a model and the variables of its optimizer are finite."""
    variables = [*model.trainable_variables, *model.optimizer.variables]
    tensors = [tf.convert_to_tensor(variable) for variable in variables]
    floats = [tensor for tensor in tensors if tensor.dtype.is_floating]

    return all(tf.reduce_all(tf.math.is_finite(tensor)) for tensor in floats)


def check_finite(where: str, figures: dict[str, float], *models: keras.Model) -> None:
    """Raises FloatingPointError unless figures, weights and optimizers hold finite numbers.

    It is called before a checkpoint could keep them. A moment of Adam may overflow while the weight
    is still finite.

    Args:
        where: the epoch or round, for the message.
        figures: floats by name.
        *models: compiled Keras models.
    """
    weights_are_finite = all(map(_are_finite, models))
    figures_are_finite = all(map(math.isfinite, figures.values()))
    if weights_are_finite and figures_are_finite:
        return

    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    state = "finite" if weights_are_finite else "or the optimizers' moments not finite"
    raise FloatingPointError(
        f"Training diverged in {where}: {shown}, weights {state}; finite numbers are expected. "
        "The last checkpoint is intact. Lower the learning rate or clip the gradient "
        "(global_clipnorm=5.0)."
    )
