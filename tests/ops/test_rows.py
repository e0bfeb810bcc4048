"""Every row is in one loop, in order, and cuts stand at whole multiples, so that a row is the same in any loop."""

import pytest
import tensorflow as tf

from tfseqgan.ops import sampling as rows
from tfseqgan.ops.sampling import ROWS, row_blocks


@pytest.mark.parametrize("count", [1, 16, 63, 64, 65, 100, 128, 191, 192, 193, 1400])
def test_the_blocks_hold_every_row_once_in_order(count):
    blocks = [list(range(count))[block] for block in row_blocks(count)]
    assert sum(blocks, []) == list(range(count))
    assert len(blocks) == (2 if 64 <= count <= 192 else 1)
    assert all(len(block) % ROWS == 0 and block for block in blocks[:-1])


def test_there_is_one_loop_where_the_rows_are_not_known_or_a_gpu_is_there(monkeypatch):
    assert row_blocks(None) == [slice(None)]
    monkeypatch.setattr(rows.tf.config, "list_physical_devices", lambda kind: [kind])
    assert row_blocks(128) == [slice(None)]


def test_the_number_of_rows_of_a_graph_is_known_or_none():
    found = []
    step = tf.function(
        lambda seeds: found.append(row_blocks(seeds.shape[0])), reduce_retracing=True
    )
    step(tf.zeros([70, 2])), step(tf.zeros([71, 2]))
    assert found == [[slice(32), slice(32, None)], [slice(None)]]
