"""Judges tell what is different apart, and not what is alike."""

import dataclasses

import numpy as np
import pytest

import tfseqgan as sg
from tfseqgan.evaluation import judge_networks, judges
from tfseqgan.evaluation.judges import Evidence, judge
from tfseqgan.music.score import Score, transpose

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tunes():
    corpus = sg.synthetic_tunes()
    return [*corpus.train, *corpus.validation]


@pytest.fixture(autouse=True)
def small_judges(monkeypatch):
    monkeypatch.setattr(judges, "_WINDOWS_OF_AN_EPOCH", 256)
    monkeypatch.setattr(judges, "_LEARNING_RATE", 3e-3)
    for name, size in {"_DIM": 24, "_FILTERS": 12, "_UNITS": 16}.items():
        monkeypatch.setattr(judge_networks, name, size)


def split(tunes):
    return Evidence(tunes[0::3], tunes[1::3], tunes[2::3])


def wander(tune, seed):
    """Returns a tune whose melody has its durations, and pitches in a random order."""
    pitches = np.random.default_rng(seed).permutation([note.pitch for note in tune.melody])
    melody = [
        dataclasses.replace(note, pitch=int(pitch))
        for note, pitch in zip(tune.melody, pitches, strict=True)
    ]
    return dataclasses.replace(tune, melody=tuple(melody))


def test_tunes_of_one_kind_cannot_be_told_apart(tunes):
    verdicts = judge(
        split(tunes[0:240:2]), split(tunes[1:240:2]), seeds=[1], max_epochs=2, length=40
    )

    assert [(each.kind, each.has_place) for each in verdicts] == [
        ("cnn", False),
        ("cnn", True),
        ("gru", False),
        ("gru", True),
    ]
    for verdict in verdicts:
        assert verdict.errors.auc_low < 0.55
        assert verdict.cross_entropy > 0.64
        assert len(verdict.curve) == 2


def test_tunes_in_disorder_are_found_out(tunes, monkeypatch):
    monkeypatch.setattr(judges, "_WINDOWS_OF_AN_EPOCH", 1024)
    real = tunes[0:120]
    disordered = [wander(tune, seed) for seed, tune in enumerate(tunes[120:240])]

    for verdict in judge(split(real), split(disordered), kinds=["cnn"], max_epochs=8, length=60):
        assert verdict.auc > 0.8
        assert verdict.errors.auc_low > 0.7
        assert verdict.cross_entropy < 0.55


def test_the_same_seed_gives_the_same_verdict(tunes):
    evidence = split(tunes[:40]), split(tunes[40:80])
    options = {"kinds": ["cnn"], "seeds": [3], "max_epochs": 2, "length": 20}

    assert judge(*evidence, **options) == judge(*evidence, **options)


def test_a_judge_stops_when_it_learns_no_more_and_keeps_its_best(tunes, monkeypatch):
    values = iter([0.7, 0.5, 0.6, 0.6, 0.4, 0.9, 0.9, 0.9, 0.2])
    monkeypatch.setattr(judges, "cross_entropy", lambda *_: next(values))
    tokenizer = judges.fit_judge_tokenizer(tunes[:8])
    judged = judges._Pair(
        *[judges.JudgedTunes(tokenizer, part, 9) for part in (tunes[:4], tunes[4:8])]
    )
    model = judges._make(tokenizer, "cnn", False, 9, seed=0)
    weights = []
    fit = model.fit

    def fit_and_note(*args, **options):
        fit(*args, **options)
        weights.append(model.get_weights())

    monkeypatch.setattr(model, "fit", fit_and_note)
    validation = judged.map(lambda each: each.tile(0))

    curve = judges._train(model, judged, validation, seed=0, max_epochs=9, patience=3)

    assert curve == (0.7, 0.5, 0.6, 0.6, 0.4, 0.9, 0.9, 0.9)
    for found, expected in zip(model.get_weights(), weights[4], strict=True):
        np.testing.assert_array_equal(found, expected)


def test_padding_changes_nothing(tunes):
    tokenizer = judges.fit_judge_tokenizer(tunes[:8])
    windows = judges.JudgedTunes(tokenizer, tunes[:8], 30).tile(0)
    inputs = {"tokens": windows.tokens[:3], "places": windows.places[:3]}
    padding = np.full_like(inputs["tokens"], 0)
    padding[:, 20:] = 1
    is_kept = padding == 0
    for has_place in (False, True):
        model = judge_networks.make_judge(tokenizer, "cnn", has_place, 30)
        cut = {
            "tokens": inputs["tokens"] * is_kept,
            "places": inputs["places"] * is_kept[..., None],
        }
        noisy = {"tokens": cut["tokens"], "places": inputs["places"]}  # places of padding

        np.testing.assert_array_equal(
            model.predict(cut, verbose=0), model.predict(noisy, verbose=0)
        )


@pytest.mark.parametrize("part", ["train", "kept_back", "test"])
def test_missing_tunes_are_named(tunes, part):
    evidence = split(tunes[:9])

    with pytest.raises(ValueError, match=f"no generated tunes in '{part}'"):
        judge(evidence, evidence._replace(**{part: []}))


def test_a_tune_and_its_transpositions_are_one_to_judges(tunes):
    real, generated = split(tunes[:9]), split(tunes[9:18])
    options = {"kinds": ["cnn"], "max_epochs": 1, "length": 30}
    moved = generated._replace(test=[transpose(tune, 9) for tune in generated.test])

    for found, expected in zip(
        judge(real, moved, **options), judge(real, generated, **options), strict=True
    ):
        assert found.cross_entropy == pytest.approx(expected.cross_entropy, abs=1e-6)
        assert found.auc == pytest.approx(expected.auc, abs=1e-6)


def test_a_tune_without_a_melody_is_named(tunes):
    evidence = split(tunes[:9])
    silent = Score((), evidence.test[0].chords)

    with pytest.raises(ValueError, match="The real tune 1 in 'test' has no melody"):
        judge(evidence._replace(test=[evidence.test[0], silent]), evidence)


def test_an_unknown_kind_is_refused(tunes):
    with pytest.raises(ValueError, match="no judge 'tree'; expected one of cnn, gru"):
        judge(split(tunes[:9]), split(tunes[9:18]), kinds=["tree"])
