"""Scores and folders of MIDI files that the tests of several data sets share."""

from pathlib import Path

from conftest import make_score

from tfseqgan.music.midi import write_midi

LABELS = {"key": "G", "time_signature": (6, 8), "rhythm": "jig"}

SCORES = tuple(make_score(seed, name=f"tune {seed}", **LABELS) for seed in range(10))


def fill_folder(folder, scores=SCORES, num_bad=0) -> Path:
    """Writes scores as 0.mid, 1.mid, ... and files that are not MIDI as bad0.mid, ..."""
    folder.mkdir(parents=True, exist_ok=True)

    for number, score in enumerate(scores):
        write_midi(score, folder / f"{number}.mid")
    for number in range(num_bad):
        (folder / f"bad{number}.mid").write_bytes(b"no MIDI")

    return folder


def sorted_names(scores):
    """Returns the names of scores in alphabetical order."""
    return sorted(score.name for score in scores)


def all_tunes(corpus):
    """Returns the training and the held-out tunes of a corpus."""
    return corpus.train + corpus.validation
