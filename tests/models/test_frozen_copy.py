"""A frozen copy has the weights of its generator, is not trained, and does not follow it."""

import numpy as np
import pytest
from tiny_models import make_attention_generator, make_generator, make_tokens

from tfseqgan.models.frozen_copy import frozen_copy


@pytest.mark.parametrize("make", [make_generator, make_attention_generator])
def test_a_copy_of_a_copy_scores_alike_and_is_not_trained(make):
    generator = make()
    tokens = make_tokens(3, rows=4)

    copy = frozen_copy(frozen_copy(generator))

    np.testing.assert_array_equal(copy.token_log_probs(tokens), generator.token_log_probs(tokens))
    assert copy.trainable_variables == []
    assert generator.trainable_variables


def test_a_copy_does_not_follow_its_generator():
    generator = make_generator()
    tokens = make_tokens(3, rows=4)
    copy = frozen_copy(generator)
    before = copy.token_log_probs(tokens)

    for weight in generator.trainable_variables:
        weight.assign(2 * weight)

    assert not np.array_equal(generator.token_log_probs(tokens), before)
    np.testing.assert_array_equal(copy.token_log_probs(tokens), before)
