"""The matrix products of each step: what nobody can go below without doing less work.

Products are counted as {(m, k, n): count} for [m, k] × [k, n].
"""

import dataclasses
import math
from collections import Counter

Products = dict[tuple[int, int, int], int]


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of the benchmark, by default the paper's.

    Args:
        batch_size: sequences of a generator step.
        length: T.
        units: of the LSTM.
        vocabulary_size: V.
        table_dim: length of a token's vector in the table generator.
        factored_dim: the same in the generator whose tokens have parts.
        filters: of the discriminator, all branches together.
        width: of each filter.
        pair: sequences of a discriminator step.
        part_sizes: of a token's parts, about those of the published vocabulary.
    """

    batch_size: int = 128
    length: int = 100
    units: int = 512
    vocabulary_size: int = 3219
    table_dim: int = 32
    factored_dim: int = 128
    filters: int = 2000
    width: int = 20
    pair: int = 32
    part_sizes: tuple[int, ...] = (24, 11, 14, 19, 11, 60)


def gflop(products: Products) -> float:
    """Returns 10⁹ floating-point operations: 2 m k n for each product."""
    return sum(2 * count * math.prod(shape) for shape, count in products.items()) / 1e9


def of_reading(sizes: Sizes, factored: bool) -> Products:
    """Returns the products of a forward pass with teacher forcing."""
    rows = sizes.batch_size * sizes.length
    width = sizes.factored_dim if factored else sizes.table_dim
    recurrent = (sizes.batch_size, sizes.units, 4 * sizes.units)
    projection = (rows, width, 4 * sizes.units)

    return {recurrent: sizes.length, projection: 1, **_of_output(sizes, factored, rows, 1)}


def of_sampling(sizes: Sizes, factored: bool) -> Products:
    """Returns the products of sampling, where each step waits for the one before."""
    rows = sizes.batch_size
    width = sizes.factored_dim if factored else sizes.table_dim
    recurrent = (rows, sizes.units, 4 * sizes.units)
    projection = (rows, width, 4 * sizes.units)
    steps = sizes.length

    return {recurrent: steps, projection: steps, **_of_output(sizes, factored, rows, steps)}


def _of_output(sizes: Sizes, factored: bool, rows: int, count: int) -> Products:
    """Returns the products of the last layer."""
    if not factored:
        return {(rows, sizes.units, sizes.vocabulary_size): count}

    return {
        (rows, sizes.units, sizes.factored_dim): count,
        (rows, sizes.factored_dim, sizes.vocabulary_size): count,
    }


def with_gradients(products: Products) -> Products:
    """Adds the two products of each one's gradients.

    The gradient of a weight that every step shares is one product over all steps.
    """
    result = Counter(products)
    for (m, k, n), count in products.items():
        result[m, n, k] += count
        result[k, m * count, n] += 1

    return dict(result)


def of_discriminator_step(sizes: Sizes) -> Products:
    """Returns the products of a discriminator step.

    The gradients of the filters touch one window each and count as nothing.
    """
    square = with_gradients({(sizes.pair, sizes.filters, sizes.filters): 1})
    highway = Counter(square) + Counter(square)  # transform and gate
    filters = (sizes.pair * sizes.length, sizes.width * sizes.table_dim, sizes.filters)

    return dict(highway + Counter({filters: 1}))
