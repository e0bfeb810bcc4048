"""Fresh judges of a run: what they are given, and what cannot be judged."""

import dataclasses
import functools
import json
import logging
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import TINY, shared_run, shared_tunes, train

from tfseqgan.datasets.corpus import make_corpus
from tfseqgan.datasets.duplicates import group_duplicates
from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.datasets.windows import load_windows
from tfseqgan.evaluation import judge_networks, judges
from tfseqgan.evaluation.calibration import Errors
from tfseqgan.evaluation.judges import Verdict
from tfseqgan.music.score import Chord, Score, transpose
from tfseqgan.runs import finished_run, judging
from tfseqgan.runs.settings import Settings
from tfseqgan.symbols.token_rows import cut_windows

GOLDEN_RUN = Path(__file__).parents[1] / "golden" / "run"
GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
NUM_TUNES = 60
SEED = 5
SILENT = Score((), (Chord(0, 24, (48, 52)),))
VERDICT = Verdict("gru", True, 1, 0.31, 0.95, Errors(0.012, 0.94, 0.96), (0.5, 0.4, 0.41))


def make_tunes():
    """Returns different tunes, and each again in another key, so that groups have two of them."""
    tunes = compose_tunes(NUM_TUNES // 2, 0)

    return [*tunes, *[transpose(tune, 2) for tune in tunes]]


@pytest.fixture
def corpus(monkeypatch):
    """The tunes of a run that need not exist, a fifth of them held out."""
    corpus = make_corpus(make_tunes(), "mine", validation_fraction=0.2, seed=0)
    monkeypatch.setattr(judging, "load_tunes", lambda *_: (corpus, Settings(seed=SEED)))
    monkeypatch.setattr(judging, "FEWEST_TUNES", 4)

    return corpus


@pytest.fixture
def asked(monkeypatch):
    """Every call of `sample_tunes`, which gives tunes that are numbered."""
    calls = []

    def sample(run, num_tunes, **options):
        first = sum(call[1] for call in calls)
        calls.append((run, num_tunes, options))
        tune = compose_tunes(1, 1)[0]
        return [dataclasses.replace(tune, name=str(first + index)) for index in range(num_tunes)]

    monkeypatch.setattr(judging, "sample_tunes", sample)

    return calls


@pytest.fixture
def judged(monkeypatch):
    """The arguments of `judge`, which gives a verdict at once."""
    calls = []

    def give_verdict(real, generated, **options):
        calls.append((real, generated, options))
        return [VERDICT]

    monkeypatch.setattr(judging, "judge", give_verdict)

    return calls


def test_judges_learn_from_training_tunes_and_are_tested_on_held_out_ones(corpus):
    real = judging.prepare_trial("any", num_judges=1).real

    assert real.test == list(corpus.validation)
    assert sorted(tune.name for tune in [*real.train, *real.kept_back]) == sorted(
        tune.name for tune in corpus.train
    )
    assert len(real.kept_back) == round(len(corpus.train) / 8)


def test_versions_of_a_tune_are_all_kept_back_or_none(corpus):
    real = judging.prepare_trial("any", num_judges=1).real

    groups = group_duplicates([*real.train, *real.kept_back])
    sides = [{index < len(real.train) for index in group} for group in groups]
    assert max(map(len, groups)) > 1
    assert all(len(side) == 1 for side in sides)


def test_there_are_as_many_samples_as_real_tunes_in_each_part(corpus, asked, judged):
    judging.judge_run(judging.prepare_trial("any", num_judges=3))

    ((real, generated, options),) = judged
    assert [len(part) for part in generated] == [len(part) for part in real]
    names = [tune.name for part in generated for tune in part]
    assert names == [str(number) for number in range(NUM_TUNES)]
    assert options == {"seeds": range(3)}


def test_samples_are_drawn_as_the_model_writes_them_and_not_as_a_card_recommends(
    corpus, asked, judged
):
    judging.judge_run(judging.prepare_trial("any", num_judges=1))

    for run, _, options in asked:
        assert run == "any"
        assert {name: options[name] for name in ("temperature", "top_p", "guidance")} == {
            "temperature": 1.0,
            "top_p": 1.0,
            "guidance": 0.0,
        }


def test_samples_come_some_at_a_time_each_time_from_another_seed(
    corpus, asked, judged, monkeypatch
):
    monkeypatch.setattr(judging, "_SAMPLED_AT_ONCE", 25)

    judging.judge_run(judging.prepare_trial("any", num_judges=1))

    assert [count for _, count, _ in asked] == [25, 25, 10]
    assert len({options["seed"] for _, _, options in asked}) == 3


def test_a_seed_gives_the_same_samples_again_and_the_runs_own_is_the_default(corpus, asked, judged):
    for seed in (SEED, None, SEED + 1):
        judging.judge_run(judging.prepare_trial("any", num_judges=1, seed=seed))

    first, default, other = [options["seed"] for _, _, options in asked]
    assert first == default
    assert first != other


def test_a_verdict_has_the_names_of_an_evaluation(corpus, asked, judged):
    (row,) = judging.judge_run(judging.prepare_trial("any", num_judges=1))

    assert row == {
        "kind": "gru",
        "has_place": True,
        "seed": 1,
        "cross_entropy": 0.31,
        "cross_entropy_stderr": 0.012,
        "auc": 0.95,
        "auc_low": 0.94,
        "auc_high": 0.96,
        "epochs": 3,
        "curve": [0.5, 0.4, 0.41],
    }


def test_the_glossary_explains_every_figure_of_a_judge(corpus, asked, judged):
    (row,) = judging.judge_run(judging.prepare_trial("any", num_judges=1))

    section = GLOSSARY.read_text(encoding="utf-8").partition("## What a judge says")[2]
    assert not [name for name in row if f"`{name}`" not in section.partition("\n## ")[0]]


def test_it_is_said_beforehand_that_it_takes_long_and_how_many_samples_are_drawn(corpus, caplog):
    caplog.set_level(logging.INFO, "tfseqgan")

    judging.prepare_trial("any", num_judges=2)

    (message,) = caplog.messages
    assert "60 samples will be drawn at temperature 1, and 8 fresh networks" in message
    assert "takes long" in message


# ---- what cannot be judged


@pytest.mark.parametrize("num_judges", [0, -1])
def test_less_than_one_judge_is_refused(num_judges):
    with pytest.raises(ValueError, match=f"num_judges is {num_judges}; expected 1 or more"):
        judging.prepare_trial("any", num_judges=num_judges)


def test_a_seed_below_zero_is_refused_before_anything_is_sampled(corpus):
    with pytest.raises(ValueError, match="seed"):
        judging.prepare_trial("any", num_judges=1, seed=-1)


def test_a_folder_with_few_held_out_tunes_is_refused_with_both_numbers(corpus, monkeypatch):
    monkeypatch.setattr(judging, "FEWEST_TUNES", 13)

    with pytest.raises(
        ValueError, match="mine has 6 tunes with a melody that are kept back; expected 13 or more"
    ):
        judging.prepare_trial("any", num_judges=1)


def test_held_out_tunes_without_a_melody_do_not_count(corpus, monkeypatch):
    silent = dataclasses.replace(corpus, validation=(*corpus.validation[:3], SILENT, SILENT))
    monkeypatch.setattr(judging, "load_tunes", lambda *_: (silent, Settings()))

    with pytest.raises(ValueError, match="mine has 3 tunes with a melody that are held out"):
        judging.prepare_trial("any", num_judges=1)


def give_silence(monkeypatch, which):
    """Lets `sample_tunes` give samples of which some are without a melody."""
    tune = compose_tunes(1, 1)[0]
    monkeypatch.setattr(
        judging,
        "sample_tunes",
        lambda _run, count, **_: [SILENT if which(index) else tune for index in range(count)],
    )


def test_samples_without_a_melody_are_refused_if_few_others_are_left(corpus, judged, monkeypatch):
    give_silence(monkeypatch, lambda index: index >= 48)

    with pytest.raises(ValueError, match="12 of 60 samples have no melody; expected 4 with one"):
        judging.judge_run(judging.prepare_trial("any", num_judges=1))


def test_samples_without_a_melody_are_left_out_with_a_warning(corpus, judged, monkeypatch, caplog):
    give_silence(monkeypatch, lambda index: index % 20 == 0)

    judging.judge_run(judging.prepare_trial("any", num_judges=1))

    assert "3 of 60 samples have no melody" in caplog.text
    ((_, generated, _),) = judged
    assert sum(map(len, generated)) == 57


def test_published_windows_are_refused_since_their_tunes_are_not_known():
    with pytest.raises(ValueError, match="holds windows of tokens.*expected tunes.*Leave out"):
        judging.prepare_trial(GOLDEN_RUN, "lee2017/tokens.npz", num_judges=1)


# ---- the tunes of a run


@pytest.mark.slow
def test_the_tunes_of_a_run_are_split_as_they_were_for_it():
    corpus, settings = finished_run.load_tunes(shared_run())

    windows = load_windows(shared_tunes(), **settings.window_options())
    for tunes, rows in ((corpus.train, windows.train), (corpus.validation, windows.validation)):
        encoded = windows.tokenizer.encode_all(tunes)
        expected = cut_windows(
            encoded.sequences, settings.length, pad_token_id=windows.tokenizer.pad_token_id
        )
        np.testing.assert_array_equal(expected.tokens, rows)


@pytest.mark.slow
def test_a_run_on_tunes_that_have_changed_is_not_judged(tmp_path):
    data = Path(shutil.copytree(shared_tunes(), tmp_path / "data"))
    train(tmp_path / "run", data, dataclasses.replace(TINY, epochs=0, rounds=0))
    (data / "03.mid").unlink()

    with pytest.raises(ValueError, match="has changed: expected sha256 .* Restore the old data"):
        judging.prepare_trial(tmp_path / "run", num_judges=1)


@pytest.mark.slow
def test_a_tiny_run_is_judged_from_the_command_to_the_figures(tfseqgan, monkeypatch, caplog):
    for name, size in {"_DIM": 8, "_FILTERS": 4, "_UNITS": 4, "_WIDTHS": (1, 2)}.items():
        monkeypatch.setattr(judge_networks, name, size)
    monkeypatch.setattr(judges, "_WINDOWS_OF_AN_EPOCH", 64)
    monkeypatch.setattr(judging, "FEWEST_TUNES", 1)
    judge = functools.partial(judges.judge, kinds=["cnn"], max_epochs=2, length=9)
    monkeypatch.setattr(judging, "judge", judge)

    code, out, _ = tfseqgan("evaluate", "--model", shared_run(), "--judges", 1, "--json")

    assert code == 0
    rows = json.loads(out)["judges"]
    assert [(row["kind"], row["has_place"], row["seed"]) for row in rows] == [
        ("cnn", False, 0),
        ("cnn", True, 0),
    ]
    for row in rows:
        assert math.isfinite(row["cross_entropy"])
        assert 0 <= row["auc_low"] <= row["auc_high"] <= 1
        assert row["epochs"] == len(row["curve"]) == 2
    assert "Judges: 8 of 8 samples drawn." in caplog.messages
    assert sum(message.startswith("A judge (") for message in caplog.messages) == 2
