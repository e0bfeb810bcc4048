r"""Measure how often the reader finds the melody of tunes whose tracks tell which it is.

    python experiments/voice_separation.py --data ../shared/data/nottingham-midi \
        --pop909 ../POP909-Dataset/POP909 --other ../tfseqgan-0.1.0

The command writes experiments/results/voice_separation.json.

- Nottingham: both tracks of each tune are merged into one, on one channel. The melody of the merged
  file is compared with the melody of the tune. The thresholds of `music.stream_splitting` were set
  before the first measurement and not fitted; two halves of the tunes show how the figures vary.
- POP909 (optional, https://github.com/music-x-lab/POP909-Dataset): every song has the tracks
  MELODY, BRIDGE and PIANO. The melody is compared with the track MELODY, as the file stands and
  with the names of its tracks removed, so that only the notes tell. The weights of
  `music.voice_separation` were chosen on every sixth song, "chosen on"; the others are "held out".

`--other` is a folder with another version of tfseqgan, which is measured on the same files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import mido

import tfseqgan as sg
from tfseqgan.files import write_json

RESULT = Path(__file__).resolve().parent / "results" / "voice_separation.json"

Onsets = Counter[tuple[int, int]]
"""How often each (start in grid ticks, pitch) occurs."""


def melody_onsets(path: Path) -> Onsets:
    """Returns the onsets of the melody that the reader finds in a file."""
    return Counter((note.start_ticks, note.pitch) for note in sg.read_midi(path).melody)


def merge_tracks(path: Path, merged_path: Path) -> None:
    """Writes a file whose tracks are merged into one track on one channel."""
    file = mido.MidiFile(path)
    merged = mido.merge_tracks(file.tracks)
    for message in merged:
        if hasattr(message, "channel"):
            message.channel = 0

    mido.MidiFile(type=0, ticks_per_beat=file.ticks_per_beat, tracks=[merged]).save(merged_path)


def keep_track(data: bytes, name: bytes) -> bytes:
    """Returns a MIDI file with only those of its tracks that hold a name."""
    header = data[:14]
    kept = b""
    position = len(header)
    while position < len(data):
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8])
        if name in data[position:end]:
            kept += data[position:end]
        position = end

    return header[:10] + (1).to_bytes(2) + header[12:] + kept


def summarise(pairs: Iterable[tuple[Onsets, Onsets]]) -> dict[str, float]:
    """Returns how the melodies that were found agree with the true ones.

    Args:
        pairs: (true, found) onsets of each tune.

    Returns:
        The number of tunes; "recall", the share of true melody notes that were found;
        "precision", the share of found notes that are true; and "tunes_right", the share of
        tunes of which nine in ten true notes were found.
    """
    tunes = [(true.total(), found.total(), (true & found).total()) for true, found in pairs]
    num_true, num_found, num_right = (sum(column) for column in zip(*tunes, strict=True))
    num_tunes_right = sum(right >= 0.9 * true for true, _, right in tunes)

    return {
        "tunes": len(tunes),
        "recall": round(num_right / num_true, 5),
        "precision": round(num_right / num_found, 5),
        "tunes_right": round(num_tunes_right / len(tunes), 5),
    }


def measure_merged(folder: Path, scratch: Path) -> dict[str, dict[str, float]]:
    """Measures the melodies of the two-track tunes in a folder, merged into one track."""
    pairs = []
    for path in sorted(folder.glob("*.mid")):
        if sg.read_midi(path).chords:
            merge_tracks(path, scratch)
            pairs.append((melody_onsets(path), melody_onsets(scratch)))

    return {"even tunes": summarise(pairs[0::2]), "odd tunes": summarise(pairs[1::2])}


def measure_pop909(folder: Path, scratch: Path) -> dict[str, dict[str, float]]:
    """Measures the melodies of the songs of POP909, with and without the names of the tracks."""
    named_pairs = []
    unnamed_pairs = []
    for path in sorted(folder.glob("*/???.mid")):
        data = path.read_bytes()
        scratch.write_bytes(keep_track(data, b"MELODY"))
        true = melody_onsets(scratch)

        named_pairs.append((true, melody_onsets(path)))
        for name, nothing in ((b"MELODY", b"TRACK1"), (b"BRIDGE", b"TRACK2"), (b"PIANO", b"TRAK3")):
            data = data.replace(name, nothing)
        scratch.write_bytes(data)
        unnamed_pairs.append((true, melody_onsets(scratch)))

    held_out = [pair for index, pair in enumerate(unnamed_pairs) if index % 6]

    return {
        "named": summarise(named_pairs),
        "unnamed, chosen on": summarise(unnamed_pairs[::6]),
        "unnamed, held out": summarise(held_out),
    }


def measure(data: Path, pop909: Path | None) -> dict[str, dict[str, dict[str, float]]]:
    """Measures the version of tfseqgan that is imported."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "tune.mid"
        result = {"nottingham merged": measure_merged(data, scratch)}
        if pop909:
            result["pop909"] = measure_pop909(pop909, scratch)

    return result


def measure_other(other: Path, arguments: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Measures the version of tfseqgan in another folder, in a process of its own."""
    process = subprocess.run(
        [sys.executable, __file__, *arguments, "--print"],
        env=os.environ | {"PYTHONPATH": str(other)},
        check=True,
        capture_output=True,
        text=True,
    )

    return json.loads(process.stdout)


def parse_arguments() -> argparse.Namespace:
    """Returns the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, type=Path, help="folder of the Nottingham tunes")
    parser.add_argument("--pop909", type=Path, help="folder POP909 of the data set of that name")
    parser.add_argument("--other", type=Path, help="folder of another version of tfseqgan")
    parser.add_argument("--print", action="store_true", help="print the figures, write no file")

    return parser.parse_args()


def main() -> None:
    """Measures one version or two, and writes or prints the figures."""
    args = parse_arguments()
    figures = measure(args.data, args.pop909)
    if args.print:
        print(json.dumps(figures))
        return

    result = {"what": "melody notes found, beside the tracks that hold them", "figures": figures}
    if args.other:
        arguments = ["--data", str(args.data)]
        arguments += ["--pop909", str(args.pop909)] if args.pop909 else []
        result["other"] = measure_other(args.other, arguments)

    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(RESULT, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
