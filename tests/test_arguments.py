"""Numbers are checked as TensorFlow will see them: in int32, in float32, and against the memory."""

import numpy as np
import pytest
import tensorflow as tf

from tfseqgan import arguments
from tfseqgan.arguments import (
    SMALLEST_FLOAT32,
    check_memory,
    format_bytes,
    to_float32,
    whole_number,
)


@pytest.mark.parametrize("number", [3, np.int64(3), np.uint8(3), np.array(3)], ids=repr)
def test_every_integer_is_a_whole_number(number):
    found = whole_number("rounds", number)

    assert type(found) is int
    assert found == 3


@pytest.mark.parametrize("number", [3.0, np.float32(3), "3", None, [3], 3j, True])
def test_what_is_no_whole_number_is_named(number):
    with pytest.raises(ValueError, match="rounds must be a whole number, received"):
        whole_number("rounds", number)


@pytest.mark.parametrize(
    "number, expected",
    [
        (1, 1.0),
        (np.float64(0.5), 0.5),
        (0.1, float(np.float32(0.1))),
        (1e-46, 0.0),
        (1e39, np.inf),
    ],
)
def test_a_number_is_rounded_as_tensorflow_rounds_it(number, expected):
    assert to_float32("temperature", number) == expected


@pytest.mark.parametrize("number", ["0.5", None, 1j, np.complex64(1), [1, 2], 10**400], ids=repr)
def test_what_is_no_real_number_is_named(number):
    with pytest.raises(ValueError, match="temperature must be a number, received"):
        to_float32("temperature", number)


def test_the_smallest_number_is_the_smallest_that_tensorflow_does_not_take_for_zero():
    just_below = np.nextafter(np.float32(SMALLEST_FLOAT32), np.float32(0))

    @tf.function
    def is_positive(number):
        return number > 0

    assert is_positive(tf.constant(SMALLEST_FLOAT32))
    assert not is_positive(tf.constant(just_below) * 1)


@pytest.mark.parametrize(
    "num_bytes, text",
    [(0, "0 B"), (1023, "1.02e+03 B"), (2**20, "1 MiB"), (5 * 2**60, "5 EiB")],
)
def test_memory_is_written_as_people_write_it(num_bytes, text):
    assert format_bytes(num_bytes) == text


def test_what_needs_more_memory_than_there_is_is_refused(monkeypatch):
    monkeypatch.setattr(arguments, "physical_memory", lambda: 2.0**30)

    check_memory(2**30, "length = 5", "Lower it.")
    message = "length = 5 needs about 2 GiB of memory, and this machine has 1 GiB. Lower it."
    with pytest.raises(ValueError, match=message):
        check_memory(2**31, "length = 5", "Lower it.")


def test_where_the_system_does_not_say_its_memory_nothing_is_refused(monkeypatch):
    monkeypatch.delattr(arguments.os, "sysconf")

    check_memory(2.0**80, "length = 5", "Lower it.")
