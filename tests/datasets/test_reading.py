"""Files read by several processes are what one reads, whatever happens to the others."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tfseqgan.datasets import reading
from tfseqgan.datasets.reading import read_all
from tfseqgan.music.midi import read_midi, write_midi
from tfseqgan.music.score import Chord, Note, Score

COUNT = 11


@pytest.fixture
def paths(tmp_path):
    """Returns the paths of eleven files, of which the fourth and the last are no MIDI files."""
    found = [tmp_path / f"tune {number} é.mid" for number in range(COUNT)]
    for number, path in enumerate(found):
        notes = tuple(Note(24 * step, 24, 60 + number) for step in range(3))
        score = Score(
            notes,
            (Chord(0, 72, (43, 47, 50 + number)),),
            key="Em" if number % 2 else None,
            time_signature=(6, 8),
            tempo_bpm=97.5,
            name=f"Nº {number}",
        )
        path.write_bytes(b"no MIDI") if number in (3, COUNT - 1) else write_midi(score, path)
    return found


@pytest.fixture
def many(monkeypatch):
    """Makes three files worth a process, on a machine of four cores."""
    monkeypatch.setattr(reading, "_FILES_FOR_ONE", 3)
    monkeypatch.setattr(reading.os, "sched_getaffinity", lambda process: range(4), raising=False)
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(
        reading.subprocess,
        "Popen",
        lambda *arguments, **options: started.append(popen(*arguments, **options)) or started[-1],
    )
    return started


def check(found, paths):
    """What was found is what each file says, in order."""
    assert len(found) == COUNT and [
        place for place, read in enumerate(found) if isinstance(read, str)
    ] == [3, COUNT - 1]
    assert all(
        read == read_midi(path) for read, path in zip(found, paths) if isinstance(read, Score)
    )
    assert "not a MIDI file" in found[3] and paths[3].name in found[3]


def test_a_few_files_are_read_here(paths, monkeypatch):
    monkeypatch.setattr(reading.subprocess, "Popen", None)
    check(read_all(paths), paths)


def test_many_files_are_shared_out_and_come_back_in_order(paths, many, monkeypatch):
    read_here, read = [], reading._read
    monkeypatch.setattr(reading, "_read", lambda path: read_here.append(path) or read(path))
    check(read_all(paths), paths)
    assert (
        len(many) == 2 and read_here == paths[::3]
    )  # eleven files are worth three processes, this one and two more


def test_what_comes_back_does_not_depend_on_who_reads_it_however_a_path_is_written(
    paths, many, monkeypatch
):
    folder = paths[0].parent
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "link").symlink_to(folder / "deep" / "er")
    beside = folder / "deep" / paths[0].name
    beside.write_bytes(paths[0].read_bytes())
    monkeypatch.chdir(folder)
    written = [Path(path.name) for path in paths] + [folder / "link" / ".." / beside.name] * 2
    together = read_all(written)
    assert len(many) == 3 and [isinstance(read, str) for read in together].count(True) == 2
    monkeypatch.setattr(reading, "_FILES_FOR_ONE", 100)
    assert read_all(written) == together


def test_a_module_in_the_working_directory_is_not_imported(paths, many, monkeypatch):
    (paths[0].parent / "json.py").write_text("raise SystemExit(5)")
    monkeypatch.chdir(paths[0].parent)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    read_here, read = [], reading._read
    monkeypatch.setattr(reading, "_read", lambda path: read_here.append(path) or read(path))
    check(read_all(paths), paths)
    assert read_here == paths[::3]


def test_nobody_goes_on_reading_for_one_who_was_interrupted(paths, many, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "_HELPER", "import time; time.sleep(60)")
    monkeypatch.setattr(reading, "_read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_all(paths)
    assert len(many) == 2 and all(process.poll() is not None for process in many)


@pytest.mark.parametrize(
    "helper", ["raise SystemExit(3)", "print('{')", "import os; os.kill(os.getpid(), 9)"]
)
def test_what_a_process_that_fails_was_to_read_is_read_here(helper, paths, many, monkeypatch):
    monkeypatch.setattr(reading, "_HELPER", helper)
    check(read_all(paths), paths)
    assert len(many) == 2


def test_where_no_process_can_be_started_all_is_read_here(paths, many, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError("no more processes")

    monkeypatch.setattr(reading.subprocess, "Popen", refuse)
    check(read_all(paths), paths)


@pytest.mark.parametrize("program", ["/usr/bin/blender", "", None])
def test_another_program_than_python_is_not_started_again(program, paths, many, monkeypatch):
    monkeypatch.setattr(sys, "executable", program)
    check(read_all(paths), paths)
    assert not many


def test_a_score_comes_back_from_plain_values_as_it_was():
    score = Score(
        (Note(0, 24, 60), Note(0, 24, 64)),
        (Chord(0, 48, (40, 47)),),
        "F#m",
        (9, 8),
        100 / 3,
        "lone \udc80 byte",
        "slip jig",
    )
    assert reading._from_plain(json.loads(json.dumps(reading._to_plain(score)))) == score
    assert reading._from_plain("a reason") == "a reason"


def test_a_script_without_a_guard_runs_once(paths):
    script = paths[0].parent / "script.py"
    script.write_text(
        "from pathlib import Path\nfrom tfseqgan import reading\nprint('once')\nhere, read = [], reading._read\n"
        "reading._processes, reading._read = lambda count: 3, lambda path: here.append(path) or read(path)\n"
        "found = reading.read_all(sorted(Path(__file__).parent.glob('*.mid')))\n"
        "print(len(here), sum(not isinstance(one, str) for one in found))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "once",
        "4",
        str(COUNT - 2),
    ]  # four of the eleven are read by the script itself
