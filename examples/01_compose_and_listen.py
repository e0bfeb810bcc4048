"""Compose session tunes, look at one, and write them as MIDI files.

You learn what a tune is here: a `Score` of plain values, a melody of notes over chords, in whole ticks on a grid of 24 to the quarter note, pitch 60
being middle C. The tunes come from a small grammar inside the package: no data, no training, no TensorFlow. Anything that plays MIDI plays them.

    python examples/01_compose_and_listen.py --out tunes
"""

import argparse
import itertools
from pathlib import Path

import tfseqgan as sg

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TICKS_PER_COLUMN = 6  # a sixteenth


def bar_ticks(tune):
    """Returns how many ticks a bar of the tune has."""
    beats, unit = tune.time_signature
    return 4 * 24 * beats // unit


def picture(tune, bars):
    """Returns the first bars as text: a row a pitch, a column a sixteenth, O where a note is struck, - where it sounds on; the bass below."""
    pick_up, bar = (
        tune.chords[0].start_ticks,
        bar_ticks(tune),
    )  # the first chord stands on the first bar line
    end = pick_up + bars * bar
    notes = [note for note in tune.melody if note.start_ticks < end]
    rows = []
    for pitch in range(
        max(note.pitch for note in notes), min(note.pitch for note in notes) - 1, -1
    ):
        cells = [" "] * (end // TICKS_PER_COLUMN)
        for note in notes:
            if note.pitch == pitch:
                first, last = (
                    note.start_ticks // TICKS_PER_COLUMN,
                    min(note.end_ticks, end) // TICKS_PER_COLUMN,
                )
                cells[first:last] = ["O"] + ["-"] * (last - first - 1)
        rows.append((f"{NAMES[pitch % 12]}{pitch // 12 - 1}", cells))
    basses = [" "] * (end // TICKS_PER_COLUMN + 2)
    for chord in tune.chords:
        if chord.start_ticks < end:
            name, place = NAMES[chord.pitches[0] % 12], chord.start_ticks // TICKS_PER_COLUMN
            basses[place : place + len(name)] = name
    lines = range(pick_up, end + 1, bar)
    cut = [0, *(tick // TICKS_PER_COLUMN for tick in lines)]
    return "\n".join(
        f"{name:>4} " + "|".join("".join(cells[a:b]) for a, b in itertools.pairwise(cut)) + "|"
        for name, cells in [*rows, ("bass", basses)]
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("tunes"), help="folder for the MIDI files")
    parser.add_argument("--num", type=int, default=8, help="how many tunes")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other tunes")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    tunes = sg.synthetic_tunes(args.seed, num_tunes=args.num, validation_fraction=0).train
    for number, tune in enumerate(tunes, 1):
        path = args.out / f"{number:02d}_{tune.rhythm}_in_{tune.key}.mid"
        sg.write_midi(tune, path)
        print(
            f"{path}  {tune.name}: {len(tune.melody)} notes over {len(tune.chords)} chords, {tune.tempo_bpm:.0f} quarters a minute"
        )
    first = tunes[0]
    print(
        f"\n{first.name}, a {first.rhythm} in {first.key}, its first four bars\n\n{picture(first, bars=4)}"
    )


if __name__ == "__main__":
    main()
