r"""Compare the metre and the key that the notes tell with those that the book says.

    python experiments/metre_and_key.py --data ../shared/data/nottingham-midi

Estimates both for every tune of the Nottingham book, without its labels, and writes
experiments/results/metre_and_key.json. `experiments/metre_and_key_page.py` renders
docs/metre_and_key.md from it.

The tunes stand in two halves by their groups of versions (`group_duplicates`): those of even index,
on which the numbers of `music.metre_estimation` and the profiles of `music.key_estimation` were
chosen, and those of odd index. The built-in synthetic tunes are another corpus.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from versions import library_versions

import tfseqgan as sg
from tfseqgan.datasets.corpus import make_corpus
from tfseqgan.datasets.duplicates import group_duplicates
from tfseqgan.datasets.synthetic import compose_tunes
from tfseqgan.datasets.tune_folder import find_tune_files, read_files
from tfseqgan.files import write_json
from tfseqgan.music.key_estimation import (
    ALBRECHT_SHANAHAN,
    KRUMHANSL_KESSLER,
    KeyProfiles,
    estimate_key,
)

RESULT = Path(__file__).resolve().parent / "results" / "metre_and_key.json"

NUM_SYNTHETIC = 300

SYNTHETIC_SEED = 5

PROFILES = {
    "Krumhansl & Kessler 1982": KRUMHANSL_KESSLER,
    "Temperley 2007": KeyProfiles(
        major=(0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        minor=(0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
    "Bellman 2005": KeyProfiles(
        major=(16.80, 0.86, 12.95, 1.41, 13.49, 11.93, 1.25, 20.28, 1.80, 8.04, 0.62, 10.57),
        minor=(18.16, 0.69, 12.99, 13.34, 1.07, 11.15, 1.38, 21.07, 7.49, 1.53, 0.92, 10.21),
    ),
    "Albrecht & Shanahan 2013": ALBRECHT_SHANAHAN,
}
"""The profiles that were compared."""

Tunes = Sequence[sg.Score]


def metre_class(time_signature: tuple[int, int]) -> tuple[int, int]:
    """Returns a time signature, with 2/4, 4/4 and 2/2 as one."""
    return (4, 4) if time_signature in ((2, 4), (2, 2)) else time_signature


def is_metre(score: sg.Score) -> bool:
    """Returns whether the estimated metre is the one said, 2/4, 4/4 and 2/2 taken as one."""
    return metre_class(sg.estimate_metre(score)) == metre_class(score.time_signature)


def is_time_signature(score: sg.Score) -> bool:
    """Returns whether the estimated time signature is the one said."""
    return sg.estimate_metre(score) == score.time_signature


def is_key(score: sg.Score, profiles: KeyProfiles = ALBRECHT_SHANAHAN) -> bool:
    """Returns whether the estimated key is the one said."""
    return estimate_key(score, profiles) == score.key


def count_right(tunes: Tunes, is_right: Callable[[sg.Score], bool]) -> dict[str, int]:
    """Returns how many tunes are right, of how many."""
    return {"right": sum(map(is_right, tunes)), "of": len(tunes)}


def measure(tunes: Tunes) -> dict[str, Any]:
    """Returns how many estimates are right."""
    return {
        "metre": count_right(tunes, is_metre),
        "time signature": count_right(tunes, is_time_signature),
        "key": count_right(tunes, is_key),
        "key by profiles": {
            name: count_right(tunes, lambda score, each=profiles: is_key(score, each))
            for name, profiles in PROFILES.items()
        },
    }


def wrong_metres(tunes: Tunes) -> list[dict[str, str]]:
    """Returns the tunes whose metre is not the one said."""
    return [
        {
            "tune": score.name,
            "said": "{}/{}".format(*score.time_signature),
            "estimated": "{}/{}".format(*sg.estimate_metre(score)),
        }
        for score in tunes
        if not is_metre(score)
    ]


def split_in_halves(tunes: Tunes) -> tuple[list[sg.Score], list[sg.Score]]:
    """Returns the tunes in groups of even index, and those in groups of odd index."""
    halves: tuple[list[sg.Score], list[sg.Score]] = ([], [])
    for index, group in enumerate(group_duplicates(tunes)):
        halves[index % 2].extend(tunes[member] for member in group)

    return halves


def main() -> None:
    """Measures, and writes the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path, help="folder of the Nottingham tunes")
    folder = parser.parse_args().data

    tunes, _ = read_files(find_tune_files(folder), folder)
    even, odd = split_in_halves(tunes)
    synthetic = compose_tunes(NUM_SYNTHETIC, seed=SYNTHETIC_SEED)

    write_json(
        RESULT,
        {
            "what": "tunes whose metre and key are estimated as they are said",
            "corpora": {
                "all tunes of the book": measure(tunes),
                "groups of even index": measure(even),
                "groups of odd index": measure(odd),
                "synthetic tunes": measure(synthetic),
            },
            "wrong metres": wrong_metres(tunes),
            "data": {"sha256": make_corpus(tunes, "book", 0.0, seed=0).sha256},
            "synthetic": {"tunes": NUM_SYNTHETIC, "seed": SYNTHETIC_SEED},
            "versions": library_versions(),
        },
    )


if __name__ == "__main__":
    main()
