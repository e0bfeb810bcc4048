"""What the loader makes of each file of a folder, before anything is trained on it.

`inspect_folder` reads the folder as `load_folder` does and says what became of each track, which
files are versions of one tune, and how much of the music a vocabulary covers.
"""

import collections
import dataclasses
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from tfseqgan.datasets.corpus import split_by_group
from tfseqgan.datasets.duplicates import fingerprint, group_duplicates
from tfseqgan.datasets.tune_folder import check_any, find_tune_files, read_file
from tfseqgan.music.control_tokens import NUM_CONTROLS
from tfseqgan.music.metre import pick_up_within, time_signature_of
from tfseqgan.music.score import ALL_TRANSPOSITIONS, TICKS_PER_QUARTER, Score
from tfseqgan.music.score_labels import with_metre_and_key
from tfseqgan.music.text import printable_path
from tfseqgan.music.tokenizer import Tokenizer
from tfseqgan.music.voice_separation import LEFT_OUT, PERCUSSION, StreamVoice

COPY = "copy"
TRANSPOSED = "transposed"
VARIANT = "variant"

_THIRTY_SECOND = TICKS_PER_QUARTER // 8
_TRIPLET_SIXTEENTH = TICKS_PER_QUARTER // 6

_FREE_SHARE = 0.1
"""A tune of which more onsets are off the note values was played freely."""

_WIDTH = 100
_FILE_WIDTH = 48
_INDENT = " " * 4


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """Of which other file a tune is a version.

    Args:
        file: the first file of the folder with this tune.
        kind: "copy", the same melody; "transposed", the same melody in another key; "variant", a
            melody that shares phrases with it or with another version.
        semitones: how far the melody is above that of `file`; None for a variant.
    """

    file: str
    kind: str
    semitones: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file.

    Args:
        file: the file, relative to the folder; a tune of an ABC file has its number after it.
        title: the name of the tune.
        time_signature: the metre, said or estimated.
        metre_is_said: whether the file says its metre.
        key: the key, said or estimated; None if the notes tell none.
        key_is_said: whether the file says its key.
        num_bars: the bars from the first bar line to the end.
        num_notes: the notes of the melody.
        num_chords: the chords.
        tracks: what each stream of notes of a MIDI file became, and why (`StreamVoice`).
        off_note_values: the share of onsets that are on neither thirty-seconds nor triplets of
            sixteenths: of music that was played freely.
        version_of: the earlier file with the same tune, or None.
    """

    file: str
    title: str
    time_signature: tuple[int, int]
    metre_is_said: bool
    key: str | None
    key_is_said: bool
    num_bars: int
    num_notes: int
    num_chords: int
    tracks: tuple[StreamVoice, ...]
    off_note_values: float
    version_of: Version | None = None

    @property
    def dropped(self) -> tuple[StreamVoice, ...]:
        """The tracks that are not in the score."""
        return tuple(track for track in self.tracks if track.voice in (PERCUSSION, LEFT_OUT))

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain values for JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        version = self.version_of
        changes = {
            "time_signature": list(self.time_signature),
            "tracks": [
                {**track._asdict(), "channels": list(track.channels)} for track in self.tracks
            ],
            "version_of": None if version is None else dataclasses.asdict(version),
        }

        return values | changes


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """How much of some tunes a vocabulary holds.

    Args:
        num_events: the events of the tunes.
        num_replaced: those of them that the nearest known event replaces.
        vocabulary_size: the tokens of the vocabulary.
    """

    num_events: int
    num_replaced: int
    vocabulary_size: int

    @property
    def replaced(self) -> float:
        """The share of the events that is replaced."""
        return self.num_replaced / max(self.num_events, 1)


@dataclasses.dataclass(frozen=True, slots=True)
class FolderReport:
    """What became of a folder.

    Args:
        folder: the folder.
        files: the files that can be read, in the order of their paths.
        unreadable: (file, reason) for each file that cannot be read.
        held_out: how much of the held-out tunes is in a vocabulary of the training tunes; None if
            nothing is held out.
        in_tokenizer: how much of all tunes is in the tokenizer that was asked about, or None.
        tokenizer_name: what it is called.
    """

    folder: str
    files: tuple[FileReport, ...]
    unreadable: tuple[tuple[str, str], ...]
    held_out: Coverage | None = None
    in_tokenizer: Coverage | None = None
    tokenizer_name: str = ""

    @property
    def num_tunes(self) -> int:
        """The number of tunes, each with its versions counted once."""
        return sum(file.version_of is None for file in self.files)

    @property
    def num_bars(self) -> int:
        """The bars of all files."""
        return sum(file.num_bars for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain values for JSON."""

        def coverage(each: Coverage | None) -> dict[str, Any] | None:
            return None if each is None else {**dataclasses.asdict(each), "replaced": each.replaced}

        return {
            "folder": self.folder,
            "num_files": len(self.files) + len(self.unreadable),
            "num_readable": len(self.files),
            "num_tunes": self.num_tunes,
            "num_bars": self.num_bars,
            "held_out": coverage(self.held_out),
            "in_tokenizer": coverage(self.in_tokenizer),
            "files": [file.to_dict() for file in self.files],
            "unreadable": [{"file": file, "reason": reason} for file, reason in self.unreadable],
        }


def _count_bars(score: Score) -> int:
    """Returns how many bars begin, not counting a pick-up; at least 1."""
    numerator, denominator = time_signature_of(score)
    bar = Fraction(4 * TICKS_PER_QUARTER * numerator, denominator)

    return max(1, math.ceil((score.end_ticks - pick_up_within(score, bar)) / bar))


def _share_off_note_values(score: Score) -> float:
    """Returns the share of onsets on neither thirty-seconds nor triplets of sixteenths."""
    onsets = {note.start_ticks for note in score.melody}
    onsets |= {chord.start_ticks for chord in score.chords}
    is_off = [tick % _THIRTY_SECOND > 0 and tick % _TRIPLET_SIXTEENTH > 0 for tick in onsets]

    return sum(is_off) / max(len(onsets), 1)


def _report_file(file: str, score: Score, tracks: Sequence[StreamVoice]) -> FileReport:
    """Returns what became of one file, without its versions."""
    labelled = with_metre_and_key(score)

    return FileReport(
        file=file,
        title=score.name,
        time_signature=time_signature_of(labelled),
        metre_is_said=score.time_signature is not None,
        key=labelled.key,
        key_is_said=score.key is not None,
        num_bars=_count_bars(labelled),
        num_notes=len(score.melody),
        num_chords=len(score.chords),
        tracks=tuple(tracks),
        off_note_values=_share_off_note_values(score),
    )


def _first_pitch(score: Score) -> int:
    """Returns the highest pitch of the first onset, which `fingerprint` counts from."""
    if not score.melody:
        return score.chords[0].pitches[-1]

    start = score.melody[0].start_ticks

    return max(note.pitch for note in score.melody if note.start_ticks == start)


def _find_versions(files: Sequence[str], scores: Sequence[Score]) -> list[Version | None]:
    """Returns of which earlier file each tune is a version."""
    versions: list[Version | None] = [None] * len(scores)
    prints = [fingerprint(score) for score in scores]
    for group in group_duplicates(scores):
        for position, index in enumerate(group[1:], 1):
            equals = [other for other in group[:position] if prints[other] == prints[index]]
            if not equals:
                versions[index] = Version(files[group[0]], VARIANT)
                continue
            semitones = _first_pitch(scores[index]) - _first_pitch(scores[equals[0]])
            kind = TRANSPOSED if semitones else COPY
            versions[index] = Version(files[equals[0]], kind, semitones)

    return versions


def _cover(tokenizer: Tokenizer, scores: Sequence[Score]) -> Coverage:
    """Returns how much of some tunes a vocabulary holds."""
    encoded = tokenizer.encode_all(scores)
    num_controls = 0 if tokenizer.controls is None else NUM_CONTROLS
    num_special = 2 + num_controls  # the start and the end
    num_events = sum(len(tokens) - num_special for tokens in encoded.sequences)

    return Coverage(num_events, encoded.num_replaced, tokenizer.vocabulary_size)


def _cover_held_out(scores: Sequence[Score]) -> Coverage | None:
    """Returns how much of the held-out tunes a vocabulary of the training tunes holds."""
    train, held_out = split_by_group(scores)
    if not held_out:
        return None

    tokenizer = Tokenizer.fit(train, interleave=True, transpositions=ALL_TRANSPOSITIONS)

    return _cover(tokenizer, held_out)


def inspect_folder(
    folder: Path | str,
    tokenizer: Tokenizer | None = None,
    tokenizer_name: str = "the given tokenizer",
) -> FolderReport:
    """Reads a folder of MIDI and ABC files as `load_folder` does, and says what became of each.

    Nothing is written. A folder of which more than half cannot be read is reported too, where
    `load_folder` would refuse it. Each tune of an ABC file is reported as a file.

    Args:
        folder: a folder with files that end in `.mid`, `.midi` or `.abc`, also in subfolders.
        tokenizer: a tokenizer of which the report shall say how much of the tunes is in its
            vocabulary, such as that of a model to train on.
        tokenizer_name: what the report calls it.

    Returns:
        The report. Its coverage of held-out tunes is by the split of `load_folder` and a vocabulary
        of one voice a token in all keys, as the default preset trains.

    Raises:
        ValueError: if `folder` is not a folder, or holds no such files.

    Example:
        >>> import tempfile
        >>> from tfseqgan.music.midi import write_midi
        >>> from tfseqgan.music.score import Note, transpose
        >>> tune = Score(tuple(Note(24 * beat, 24, 60 + beat) for beat in range(6)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_midi(tune, f"{folder}/one.mid")
        ...     write_midi(transpose(tune, 2), f"{folder}/two.mid")
        ...     report = inspect_folder(folder)
        >>> report.num_tunes, report.files[1].version_of
        (1, Version(file='one.mid', kind='transposed', semitones=2))
    """
    folder = Path(folder)
    paths = find_tune_files(folder)
    check_any(paths, folder)

    reports = []
    scores = []
    unreadable: list[tuple[str, str]] = []
    for path in paths:
        read = read_file(path, folder)
        unreadable += read.skipped
        for tune in read.tunes:
            scores.append(tune.score)
            reports.append(_report_file(tune.file, tune.score, tune.streams))

    versions = _find_versions([report.file for report in reports], scores)

    return FolderReport(
        folder=printable_path(folder),
        files=tuple(
            dataclasses.replace(report, version_of=version)
            for report, version in zip(reports, versions, strict=True)
        ),
        unreadable=tuple(unreadable),
        held_out=_cover_held_out(scores),
        in_tokenizer=None if tokenizer is None else _cover(tokenizer, scores),
        tokenizer_name=tokenizer_name,
    )


def _shorten(text: str, width: int) -> str:
    """Returns a text of at most so many characters, of which the end is the more telling."""
    return text if len(text) <= width else "…" + text[1 - width :]


def _metre_of(file: FileReport) -> str:
    """Returns the metre of a file, with "~" if it is estimated."""
    return ("" if file.metre_is_said else "~") + "{}/{}".format(*file.time_signature)


def _key_of(file: FileReport) -> str:
    """Returns the key of a file, with "~" if it is estimated."""
    if file.key is None:
        return "–"

    return ("" if file.key_is_said else "~") + file.key


def _wrap(text: str) -> list[str]:
    """Returns indented lines of at most the width of the table."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=2 * _INDENT,
        break_on_hyphens=False,
    )


def _track_line(track: StreamVoice) -> str:
    """Returns what became of a track, and why."""
    name = f" {track.name!r}" if track.name else ""

    return f"{track.voice}: track {track.track}{name}, {track.num_notes} notes: {track.reason}"


def _version_line(version: Version) -> str:
    """Returns of which file a tune is a version."""
    by = f" by {version.semitones:+d} semitones" if version.kind == TRANSPOSED else ""

    return f"{version.kind} of {version.file}{by}"


def _file_lines(file: FileReport) -> Iterator[str]:
    """Yields the lines of a file: its row of the table, and what became of each track."""
    yield (
        f"{_shorten(file.file, _FILE_WIDTH):<{_FILE_WIDTH}} {_metre_of(file):>7} "
        f"{_key_of(file):>5} {file.num_bars:>6} {file.num_notes:>8} {file.num_chords:>8}"
    )
    if file.version_of is not None:
        yield from _wrap(_version_line(file.version_of))
    if file.off_note_values > _FREE_SHARE:
        yield from _wrap(
            f"played freely: {100 * file.off_note_values:.0f} % of the onsets are on no note value"
        )
    for track in file.tracks:
        yield from _wrap(_track_line(track))


def _counts(values: Iterable[str]) -> str:
    """Returns how often each value occurs, the most frequent first."""
    counted = collections.Counter(values).most_common()

    return ", ".join(f"{value} {count}" for value, count in counted)


def _coverage_line(coverage: Coverage, whose: str, vocabulary: str) -> str:
    """Returns how much of some tunes is replaced."""
    return (
        f"{100 * coverage.replaced:.1f} % of the {coverage.num_events:,} events of {whose} are not "
        f"in the {coverage.vocabulary_size:,} tokens of {vocabulary}"
    )


def summary_line(report: FolderReport) -> str:
    """Returns the report as one line, for the start of a training.

    Args:
        report: the report.

    Example:
        >>> summary_line(FolderReport("tunes", (), (("a.mid", "holds no notes"),)))
        'tunes: 0 of 1 files can be read, 0 different tunes'
    """
    num_files = len(report.files) + len(report.unreadable)
    num_dropped = sum(len(file.dropped) for file in report.files)
    parts = [
        f"{report.folder}: {len(report.files)} of {num_files} files can be read",
        f"{report.num_tunes} different tunes",
        f"{report.num_bars:,} bars" if report.files else "",
        f"{num_dropped} tracks dropped" if num_dropped else "",
        f"{100 * report.held_out.replaced:.1f} % of held-out events replaced"
        if report.held_out is not None
        else "",
    ]

    return ", ".join(filter(None, parts))


def _total_lines(report: FolderReport) -> Iterator[str]:
    """Yields the lines of the totals."""
    yield summary_line(report)
    if report.files:
        yield f"metres: {_counts('{}/{}'.format(*file.time_signature) for file in report.files)}"
        yield f"keys: {_counts(file.key or 'none' for file in report.files)}"
    if any(not (file.metre_is_said and file.key_is_said) for file in report.files):
        yield "~ before a metre or key: the file does not say it, and its notes tell it"
    if report.held_out is not None:
        yield _coverage_line(
            report.held_out, "the held-out tunes", "a vocabulary of the other tunes"
        )
    if report.in_tokenizer is not None:
        yield _coverage_line(report.in_tokenizer, "all tunes", report.tokenizer_name)


def format_report(report: FolderReport) -> str:
    """Returns the report as a table of at most 100 columns, with the totals at its end.

    Args:
        report: the report.

    Example:
        >>> print(format_report(FolderReport("tunes", (), (("a.mid", "holds no notes"),))))
        a.mid cannot be read: holds no notes
        <BLANKLINE>
        tunes: 0 of 1 files can be read, 0 different tunes
    """
    lines = []
    if report.files:
        columns = f"{'metre':>7} {'key':>5} {'bars':>6} {'melody':>8} {'chords':>8}"
        lines.append(f"{'file':<{_FILE_WIDTH}} {columns}")
    for file in report.files:
        lines += _file_lines(file)
    for name, reason in report.unreadable:
        lines += textwrap.wrap(
            f"{name} cannot be read: {reason}", _WIDTH, subsequent_indent=_INDENT
        )

    lines.append("")
    for line in _total_lines(report):
        lines += textwrap.wrap(line, _WIDTH, subsequent_indent=_INDENT)

    return "\n".join(lines)
