"""Claims about tfseqgan.training.code_identity: what two functions with one name are told apart by.

A run that is resumed with another function would be another run, without a word.
"""

import dataclasses
import functools
import json

import pytest

from tfseqgan.objectives.credit import Terminal
from tfseqgan.training.code_identity import (
    code_identities,
    code_identity,
    is_known_to_be_same,
    is_known_to_differ,
)


def make_reward(token):
    """Returns a reward that closes over a token."""
    return lambda tokens: (tokens == token).mean(axis=1)


def share_of_fours(tokens, token=4):
    """Returns the share of 4s."""
    return (tokens == token).mean(axis=1)


@dataclasses.dataclass(frozen=True)
class Share:
    """A reward with a plain setting."""

    token: int

    def __call__(self, tokens):
        return (tokens == self.token).mean(axis=1)


class Counter:
    """A reward with a state that cannot be seen."""

    def __call__(self, tokens):
        return tokens.sum(axis=1)


def nested(tokens):
    """Counts with a function of its own."""

    def count(row):
        return sum(token == 4 for token in row)

    return [count(row) for row in tokens]


FUNCTIONS = {
    "lambda": lambda: lambda tokens: tokens.mean(axis=1),
    "closure": lambda: make_reward(4),
    "function": lambda: share_of_fours,
    "partial": lambda: functools.partial(share_of_fours, token=5),
    "dataclass": lambda: Share(4),
    "nested": lambda: nested,
}


@pytest.mark.parametrize("make", FUNCTIONS.values(), ids=FUNCTIONS)
def test_advice_one_function_is_known_to_be_the_same(make):
    saved = json.loads(json.dumps(code_identity(make())))

    assert is_known_to_be_same(saved, code_identity(make()))
    assert not is_known_to_differ(saved, code_identity(make()))


@pytest.mark.parametrize(
    "first, second",
    [
        (lambda tokens: tokens.mean(axis=1), lambda tokens: tokens.mean(axis=0)),
        (lambda tokens: tokens.mean(axis=1), lambda tokens: tokens.max(axis=1)),
        (make_reward(4), make_reward(5)),
        (functools.partial(share_of_fours, token=4), functools.partial(share_of_fours, token=5)),
        (Share(4), Share(5)),
        (lambda tokens, k=1: tokens * k, lambda tokens, k=2: tokens * k),
        (lambda tokens, *, k=1: tokens * k, lambda tokens, *, k=2: tokens * k),
        (lambda t: [x + 1 for x in t], lambda t: [x + 2 for x in t]),
        (lambda t: t in {1, 2}, lambda t: t in {1, 3}),
        (share_of_fours, nested),
    ],
)
def test_advice_another_function_is_known_to_differ(first, second):
    assert is_known_to_differ(code_identity(first), code_identity(second))


@pytest.mark.parametrize("part", [abs, Counter(), Counter().__call__, make_reward([4])])
def test_advice_what_cannot_be_known_is_neither_the_same_nor_another(part):
    assert not is_known_to_be_same(code_identity(part), code_identity(part))
    assert not is_known_to_differ(code_identity(part), code_identity(part))


def test_advice_another_version_of_python_says_nothing():
    now = code_identity(share_of_fours)
    saved = now | {"python": "3.99", "code": "0123456789abcdef"}

    assert not is_known_to_differ(saved, now)
    assert not is_known_to_be_same(saved, now)


def test_a_docstring_is_not_code():
    def one(tokens):
        """Says one thing."""
        return tokens

    other = eval("lambda tokens: tokens")
    other.__qualname__ = one.__qualname__

    assert not is_known_to_differ(code_identity(one), code_identity(other))


def test_functions_that_call_each_other_have_an_identity():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert code_identity(even)["code"] != code_identity(odd)["code"]


def test_parts_of_the_library_are_known_by_their_names_alone():
    parts = code_identities(credit=Terminal(), reward=make_reward(4), baseline=None)

    assert list(parts) == ["reward"]
