"""The experiment of cooperative rounds: stages are made once, and each arm does what it says."""

import argparse
import dataclasses

import keras
import numpy as np
import pytest
from conftest import import_experiment
from tiny_models import CONTROLLED_TUNES, make_generator_with_controls

from tfseqgan.music.score import ALL_TRANSPOSITIONS
from tfseqgan.music.tokenizer import Tokenizer

TOKENIZER = Tokenizer.fit(
    CONTROLLED_TUNES, interleave=True, controls=True, transpositions=ALL_TRANSPOSITIONS
)


@pytest.fixture(scope="module")
def cooperative():
    """The module experiments/cooperative.py."""
    return import_experiment("cooperative")


@pytest.fixture
def tunes(cooperative):
    """Tiny tunes, the same ones to train on and kept aside."""
    data = cooperative.Data(None, tuple(CONTROLLED_TUNES), tuple(CONTROLLED_TUNES[:2]))

    return cooperative.Tunes(data, TOKENIZER, seed=0)


def test_what_a_stage_wrote_is_read_again(cooperative, tmp_path):
    path = tmp_path / "folder" / "samples.npy"
    made = []

    def make():
        made.append(1)
        return np.arange(3)

    first = cooperative.made_once(path, make)
    second = cooperative.made_once(path, make)

    assert made == [1]
    assert first.tolist() == second.tolist() == [0, 1, 2]
    assert [each.name for each in path.parent.iterdir()] == ["samples.npy"]


def test_kept_tunes_are_chosen_again_when_there_are_too_few_and_long_ones_are_left_out(cooperative):
    rows = np.zeros((3, cooperative.LENGTH), int)
    rows[0, :2] = 5
    rows[1, : cooperative.LONGEST_ROW + 1] = 6
    rows[2, :1] = 7

    chosen = cooperative.chosen(rows, 5, epoch=0)

    assert chosen.shape == (5, cooperative.LONGEST_ROW)
    assert sorted(chosen[:, 0].tolist()) == [5, 5, 5, 7, 7]


@pytest.mark.slow
def test_a_round_of_the_game_learns_from_what_the_odds_kept(
    cooperative, tunes, tmp_path, monkeypatch
):
    monkeypatch.setattr(cooperative, "LENGTH", 60)
    asked = []

    def sample_here(tunes, generator, count, seed, discriminator=None, candidates=1):
        asked.append((count, discriminator is not None, candidates))
        prompts = TOKENIZER.prompts(count, seed=seed)
        block = cooperative.Block(generator, discriminator, prompts, candidates, seed)
        written = tunes.that_end(cooperative.write_block(block))
        if discriminator is None:
            return written
        # What an untrained generator writes mixes keys, so that none of it may stand in another.
        return np.concatenate([tunes.train[:, :60], tunes.train[:, :60], written[:1]])

    monkeypatch.setattr(cooperative, "sample", sample_here)
    start = tmp_path / "start.keras"
    make_generator_with_controls("lstm", tokenizer=TOKENIZER).save(start)
    game = cooperative.Game(
        rounds=1, samples=400, kept=9, candidates=3, epochs=4, tunes_per_step=2, warmup_steps=2
    )

    figures = cooperative.play_round("game", start, tunes, game, tmp_path / "round", 0, 1)

    assert asked == [(400, False, 1), (9, True, 3)]
    assert len(figures["generator"]["val_nll"]) == 4
    assert figures["discriminator"]["val_auc"]
    before = keras.models.load_model(start, compile=False)
    after = keras.models.load_model(tmp_path / "round" / "generator.keras", compile=False)
    assert any(
        (new != old).any()
        for new, old in zip(after.get_weights(), before.get_weights(), strict=True)
    )


@pytest.mark.slow
def test_the_control_takes_as_many_steps_and_the_start_none(cooperative, tunes, tmp_path):
    start = tmp_path / "start.keras"
    make_generator_with_controls("lstm", tokenizer=TOKENIZER).save(start)
    game = cooperative.Game(rounds=1, epochs=3, tunes_per_step=2, warmup_steps=2)
    args = argparse.Namespace(arm="control", start=str(start), seed=0)

    last = cooperative.play(args, tunes, game, tmp_path / "control")
    of_start = cooperative.play(
        argparse.Namespace(**vars(args) | {"arm": "start"}), tunes, game, tmp_path / "start"
    )

    assert of_start == start
    generator = keras.models.load_model(last)
    assert int(generator.optimizer.iterations) == 3 * -(-2 * len(tunes.train) // 2)


def test_every_number_of_a_game_is_a_flag(cooperative, monkeypatch):
    flags = ["--data", "d", "--start", "s", "--arm", "game", "--out", "o", "--rounds", "7"]
    monkeypatch.setattr("sys.argv", ["cooperative.py", *flags])

    args, game = cooperative.parse_arguments()

    assert game == dataclasses.replace(cooperative.Game(), rounds=7)
    assert args.seed == 0


def test_samples_are_split_into_an_eighth_twice_and_the_rest():
    verdict = import_experiment("cooperative_verdict")

    evidence = verdict.split(list(range(17)))

    assert [len(part) for part in evidence] == [13, 2, 2]
    assert sorted(sum(evidence, [])) == list(range(17))


def test_tunes_are_asked_for_in_all_keys_as_the_real_ones_are_read(tunes):
    prompts = tunes.prompts(400, (0, 3))
    keys = np.unique(prompts[:, 2])

    assert prompts.shape[1] == 5
    assert len(keys) > 12
    np.testing.assert_array_equal(prompts[:, 1], tunes.tokenizer.prompts(400, seed=(0, 3))[:, 1])
