"""docs/fine_tuning.md shows what the JSON files say, and the folders are what the page says."""

import pytest
from conftest import import_experiment

from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.music.midi import write_midi
from tfseqgan.runs.fine_tuning import SMALL_FOLDER
from tfseqgan.runs.outcome import Outcome, sentences_of


@pytest.fixture(scope="module")
def experiment():
    """The module experiments/small_folder.py."""
    return import_experiment("small_folder")


def make_result(start, nats=200.0, start_nats=None, embarrassing=(0.25, 0.04)):
    return {
        "start": start,
        "outcome": {
            "nats": nats,
            "nats_error": 20.0,
            "start_nats": start_nats,
            "nats_an_event": 1.25,
            "unigram_nats_an_event": 4.0,
            "replaced": 0.235,
        },
        "samples": {"tunes": 100, "embarrassing": embarrassing, "sound_with_form": (0.5, 0.05)},
        "tunes": {"tunes": 60, "embarrassing": (0.0, None), "sound_with_form": (1.0, None)},
        "minutes": 2.54,
    }


def test_rendering_the_page_again_changes_no_byte(experiment):
    assert experiment.render() == experiment.PAGE.read_text(encoding="utf-8")


def test_the_sentences_of_the_results_follow_from_their_figures(experiment):
    results = experiment.read_results()

    assert results
    for result in results.values():
        said = result["outcome"].pop("sentences")
        assert sentences_of(Outcome(**result["outcome"])) == said


def test_the_table_shows_each_run_beside_its_start_and_the_tunes_themselves(experiment):
    results = {
        ("synthetic", "nottingham"): make_result("nottingham", start_nats=311.7),
        ("synthetic", "none"): make_result("none", nats=400.0),
    }

    header, rule, tuned, scratch, tunes = experiment.render_table(results).splitlines()

    assert header.count("|") == rule.count("|") == tuned.count("|") == tunes.count("|")
    assert tuned == (
        "| synthetic | `nottingham` | 200.0 (20.0) | 311.7 | 1.25 | 4.00 | 23.5 % | 0.25 (0.04) "
        "| 0.50 (0.05) | 2.5 |"
    )
    assert scratch.startswith("| synthetic | random weights | 400.0 (20.0) | – |")
    assert "| 0.00 | 1.00 |" in tunes


def test_tunes_that_the_model_had_held_out_are_named(experiment):
    said = experiment.render_overlap({"learned": ["jigs1", "jigs18"], "held_out": ["reelsa-c9"]})

    assert said == (
        "Of the 3 Nottingham tunes the shipped model has learned from 2, and had held out "
        "reelsa-c9."
    )


def test_a_folder_holds_every_seventeenth_file_and_no_more_than_asked_for(experiment, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(52):
        write_midi(compose_tunes(1, seed=0)[0], data / f"{number:02}.mid")

    names = [path.name for path in experiment.every_seventeenth(data, 60)]

    assert names == ["16.mid", "33.mid", "50.mid"]
    assert [path.name for path in experiment.every_seventeenth(data, 2)] == names[:2]
    tunes = experiment.write_folder("nottingham", data, tmp_path / "folder", 3)
    written = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert (len(tunes), written) == (3, names)


def test_the_folders_of_the_experiment_are_small_enough_to_be_fine_tuned_by_default(experiment):
    assert experiment.NUM_TUNES < SMALL_FOLDER


def test_synthetic_tunes_are_written_as_midi_and_read_back(experiment, tmp_path):
    tunes = experiment.write_folder("synthetic", tmp_path, tmp_path / "folder", 3)

    composed = compose_tunes(3, seed=0)
    assert [tune.melody for tune in tunes] == [tune.melody for tune in composed]
