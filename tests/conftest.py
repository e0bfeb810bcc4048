"""What several test modules share: random scores, and the real tunes where they are present."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from tfseqgan.music.midi import read_midi
from tfseqgan.music.score import Chord, Note, Score

pytest_plugins = ["command_fixtures"]

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CORPUS_FIXTURES = {"nottingham_folder", "lee2017_file"}


def pytest_collection_modifyitems(items):
    """Marks the tests that read the real tunes with `corpus`, and with `slow` if they read all."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & CORPUS_FIXTURES:
            item.add_marker("corpus")
        if "nottingham_scores" in fixtures:
            item.add_marker("slow")


def import_experiment(name):
    """Imports a module of experiments/, which is not part of the package."""
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EXPERIMENTS))


def random_voice(rng, num_strikes, low, high, most_pitches):
    """Returns (start, duration, pitches) of a voice with short and very long rests."""
    now = 0
    strikes = []
    for _ in range(num_strikes):
        now += int(rng.choice([0, 0, 0, 6, 24, 200]))
        duration = int(rng.choice([4, 6, 8, 12, 24, 36, 96]))
        num_pitches = rng.integers(1, most_pitches + 1)
        pitches = rng.choice(np.arange(low, high), size=num_pitches, replace=False)

        strikes.append((now, duration, tuple(sorted(pitches.tolist()))))
        now += duration

    return strikes


def make_score(seed, num_notes=30, num_chords=10, **fields):
    """Returns a random score.

    It has double stops, rests, chords of one to four pitches, and parts that end at different
    times.
    """
    rng = np.random.default_rng(seed)
    melody = random_voice(rng, num_notes, 57, 90, 2)
    chords = random_voice(rng, num_chords, 36, 57, 4)

    return Score(
        melody=tuple(
            Note(start, duration, pitch) for start, duration, pitches in melody for pitch in pitches
        ),
        chords=tuple(Chord(*strike) for strike in chords),
        **fields,
    )


@pytest.fixture(scope="session")
def random_scores():
    """Thirty random scores; some lack one part."""
    with_both_parts = [make_score(seed, name=f"tune {seed}") for seed in range(26)]
    with_few_notes = [
        make_score(26, num_chords=0),
        make_score(27, num_notes=0),
        make_score(28, 1, 0),
        make_score(29, 1, 40),
    ]

    return with_both_parts + with_few_notes


@pytest.fixture(scope="session")
def nottingham_folder():
    """The folder of the 1,034 Nottingham tunes."""
    folder = SHARED_DATA / "nottingham-midi"
    if not folder.is_dir():
        pytest.skip(f"the Nottingham MIDI files are not in {folder}")

    return folder


@pytest.fixture(scope="session")
def nottingham_scores(nottingham_folder):
    """The 1,034 Nottingham tunes by name."""
    return {path.stem: read_midi(path) for path in sorted(nottingham_folder.glob("*.mid"))}


@pytest.fixture(scope="session")
def lee2017_file():
    """The published tokens of Lee et al."""
    file = SHARED_DATA / "nottingham-lee2017" / "tokens.npz"
    if not file.is_file():
        pytest.skip(f"the tokens of Lee et al. are not in {file}")

    return file
