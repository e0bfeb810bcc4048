"""Compose tunes, look at one of them, and write them as MIDI files.

You learn what a tune is in this library: a `Score`, which holds a melody of notes over a
sequence of chords. Times are whole ticks, 24 to a quarter note. Pitches are MIDI numbers, and 60
is middle C.

A small grammar inside the package composes the tunes. You need no data, no training and no
TensorFlow. Every program that plays MIDI files can play the result.

    python examples/01_compose_and_listen.py --out tunes
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import tfseqgan as sg

PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TICKS_PER_WHOLE_NOTE = 96
TICKS_PER_COLUMN = 6  # a sixteenth note


def bar_ticks(tune: sg.Score) -> int:
    """Returns the number of ticks in a bar of the tune."""
    beats, unit = tune.time_signature
    return TICKS_PER_WHOLE_NOTE * beats // unit


def melody_row(melody: Sequence[sg.Note], pitch: int, num_columns: int) -> str:
    """Draws the notes of one pitch: O where a note begins, - while it sounds."""
    cells = [" "] * num_columns
    for note in melody:
        if note.pitch == pitch:
            first = note.start_ticks // TICKS_PER_COLUMN
            end = min(note.end_ticks // TICKS_PER_COLUMN, num_columns)
            cells[first:end] = "-" * (end - first)
            cells[first] = "O"

    return "".join(cells)


def bass_row(chords: Sequence[sg.Chord], num_columns: int) -> str:
    """Writes the name of each chord's lowest pitch where the chord begins."""
    cells = [" "] * (num_columns + 2)  # space for a name of two letters in the last column
    for chord in chords:
        first = chord.start_ticks // TICKS_PER_COLUMN
        name = PITCH_NAMES[chord.pitches[0] % 12]
        cells[first : first + len(name)] = name

    return "".join(cells)


def picture(tune: sg.Score, num_bars: int) -> str:
    """Draws the first bars as text: a row for each pitch, a column for each sixteenth note."""
    first_bar_line = tune.chords[0].start_ticks  # the notes before the first chord are a pick-up
    end = first_bar_line + num_bars * bar_ticks(tune)
    melody = [note for note in tune.melody if note.start_ticks < end]
    chords = [chord for chord in tune.chords if chord.start_ticks < end]

    num_columns = end // TICKS_PER_COLUMN
    rows = {}
    highest = max(note.pitch for note in melody)
    lowest = min(note.pitch for note in melody)
    for pitch in range(highest, lowest - 1, -1):
        name = f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"
        rows[name] = melody_row(melody, pitch, num_columns)
    rows["bass"] = bass_row(chords, num_columns)

    bar_lines = range(first_bar_line, end + 1, bar_ticks(tune))
    edges = [0, *(tick // TICKS_PER_COLUMN for tick in bar_lines)]
    lines = []
    for name, cells in rows.items():
        bars = [cells[start:stop] for start, stop in itertools.pairwise(edges)]
        lines.append(f"{name:>4} {'|'.join(bars)}|")

    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Returns the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("tunes"), help="folder for the MIDI files")
    parser.add_argument("--num", type=int, default=8, help="number of tunes")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other tunes")

    return parser.parse_args()


def main() -> None:
    """Writes the tunes and draws the first one."""
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    tunes = sg.synthetic_tunes(args.seed, num_tunes=args.num, validation_fraction=0).train

    for number, tune in enumerate(tunes, start=1):
        path = args.out / f"{number:02d}_{tune.rhythm}_in_{tune.key}.mid"
        sg.write_midi(tune, path)

        size = f"{len(tune.melody)} notes over {len(tune.chords)} chords"
        print(f"{path}  {tune.name}: {size}, {tune.tempo_bpm:.0f} quarter notes a minute")

    first = tunes[0]
    print(f"\n{first.name}, a {first.rhythm} in {first.key}, its first four bars\n")
    print(picture(first, num_bars=4))


if __name__ == "__main__":
    main()
