"""What the examples and the documents promise is so: they are run, and what they name exists."""

import ast
import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_architecture import FLOORS, ORDER, own_imports

import tfseqgan as sg
from tfseqgan.runs.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
SHRUNK = {
    "sg.synthetic_tunes()": "sg.synthetic_tunes(num_tunes=40)",
    "units=256": "units=8",
    "epochs=15": "epochs=1",
    "rounds=50": "rounds=2",
    "discriminator_pretraining_rounds=10": "discriminator_pretraining_rounds=1",
    "length=400": "length=60",
}

every_document = pytest.mark.parametrize("name", TEXTS)


def python(folder, *arguments):
    """Runs Python in a folder and returns what it printed."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def run_example(folder, name, *flags):
    """Runs an example in a folder and returns what it printed."""
    return python(folder, str(ROOT / "examples" / name), *flags)


def numbers(pattern, text):
    """Returns the numbers that the groups of a pattern find, a row a match."""
    return np.array(
        [[float(group) for group in match.groups()] for match in re.finditer(pattern, text)]
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_on_a_screen_or_two_and_says_how_to_run_it(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert f"python examples/{path.name}" in ast.get_docstring(ast.parse(text))


def test_01_the_composed_tunes_are_written_and_drawn(tmp_path):
    shown = run_example(
        tmp_path, "01_compose_and_listen.py", "--num", "5", "--seed", "3", "--out", "tunes"
    )
    tunes = sg.synthetic_tunes(3, num_tunes=5, validation_fraction=0).train
    written = [sg.read_midi(path) for path in sorted((tmp_path / "tunes").glob("*.mid"))]
    assert [(tune.melody, tune.chords, tune.name) for tune in written] == [
        (tune.melody, tune.chords, tune.name) for tune in tunes
    ]
    picture = shown.split("first four bars\n\n")[1].splitlines()
    struck = [
        note
        for note in tunes[0].melody
        if note.start_ticks < tunes[0].chords[0].start_ticks + 4 * 72
    ]
    assert picture[-1].startswith("bass") and len({line.count("|") for line in picture}) == 1
    assert sum(line[5:].count("O") for line in picture[:-1]) == len(struck)


def test_02_a_sampler_learns_and_writes_tunes(tmp_path):
    shown = run_example(tmp_path, "02_train_a_sampler.py", "--quick")
    [[nll, uniform]] = numbers(r"validation NLL (\S+) nats per token, a uniform guess (\S+)", shown)
    assert nll < uniform - 0.5
    tunes = [sg.read_midi(path) for path in sorted((tmp_path / "tunes").glob("*.mid"))]
    assert len(tunes) == 4 and all(len(tune.melody) > 20 for tune in tunes)


def test_03_merl_buys_entropy_with_likelihood(tmp_path):
    shown = run_example(tmp_path, "03_compare_objectives.py", "--quick")
    table = [re.split(r" {2,}", line) for line in shown[shown.index("model ") :].splitlines()]
    rows = {
        line[0]: dict(
            zip(
                table[0][1:], (float(cell.split()[0]) if cell != "-" else None for cell in line[1:])
            )
        )
        for line in table[1:]
    }
    assert list(rows) == [
        "maximum likelihood",
        "REINFORCE",
        "with baseline",
        "MERL, α = 1",
        "KL control, β = 1",
    ]
    entropies = {name: row["H(gen)"] for name, row in rows.items()}
    assert entropies.pop("MERL, α = 1") > max(entropies.values()) + 0.3
    assert rows["MERL, α = 1"]["H(data,gen)"] > rows["maximum likelihood"]["H(data,gen)"] + 0.05
    assert rows["KL control, β = 1"]["H(data,gen)"] < rows["MERL, α = 1"]["H(data,gen)"]
    assert all(
        0 <= row["reward"] <= 1 for name, row in rows.items() if name != "maximum likelihood"
    )


def test_04_the_rule_is_learned_and_the_tunes_are_not_forgotten(tmp_path):
    shown = run_example(tmp_path, "04_reward_of_your_own.py", "--quick")
    (before, nll_before), (after, nll_after) = numbers(
        r": (\S+) leaps in a hundred steps, (\S+) nats", shown
    )
    assert after < 0.7 * before
    assert nll_after < nll_before + 1


def test_05_the_expected_gradient_is_that_of_j_and_merl_ends_at_its_optimum(tmp_path):
    shown = run_example(tmp_path, "05_tabular_world.py")
    factors = numbers(r"gradient = (\S+) × ∇J, apart by (\S+)", shown)
    np.testing.assert_allclose(factors, [[1, 0], [1, 0], [0.5, 0]], atol=1e-9)
    sharp, flat = numbers(r"likeliest sequence (\S+) of 1, apart from exp\(R/α\)/Z by (\S+)", shown)
    assert sharp[0] > 0.2 > 2 / 27 > flat[0] and max(sharp[1], flat[1]) < 1e-3


def test_06_every_continuation_begins_as_the_tune_does_and_goes_its_own_way(tmp_path):
    run_example(tmp_path, "06_continue_a_tune.py", "--quick", "--num", "3", "--out", "continued")
    beginning = sg.read_midi(tmp_path / "continued" / "beginning.mid")
    tune, kept = (
        sg.synthetic_tunes(seed=1, num_tunes=1).train[0],
        beginning.melody[:-1],
    )  # the last note may be cut by what follows
    continued = [
        sg.read_midi(path) for path in sorted((tmp_path / "continued").glob("continued_*.mid"))
    ]
    assert len(continued) == 3 and len(kept) > 20
    assert [note.start_ticks for note in kept] == [
        note.start_ticks for note in tune.melody[: len(kept)]
    ]
    assert all(
        score.melody[: len(kept)] == kept and len(score.melody) > len(kept) + 10
        for score in continued
    )
    assert len({score.melody for score in continued}) == 3
    assert {(score.key, score.time_signature) for score in continued} == {
        (tune.key, tune.time_signature)
    }


def test_the_readmes_python_does_what_it_says(tmp_path):
    code = "\n".join(
        re.findall(r"^```python\n(.*?)^```", TEXTS["README.md"], re.MULTILINE | re.DOTALL)
    )
    for size, small in SHRUNK.items():
        assert size in code, f"the README no longer says {size}: shrink what it says now"
        code = code.replace(size, small)
    shown = python(tmp_path, "-c", code + "\nassert history.epoch == [-1, 0, 1], history.epoch\n")
    assert all(
        f"'{column}'" in shown
        for column in ("nll", "bleu", "entropy", "reward_mean", "precision", "recall", "auc")
    )
    assert sg.read_midi(tmp_path / "tune.mid").melody


@every_document
def test_every_relative_link_leads_somewhere(name):
    links = [
        link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", TEXTS[name]) if "://" not in link
    ]
    missing = [link for link in links if not (ROOT / name).parent.joinpath(link).exists()]
    assert not missing, f"{name} links to {missing}"


@every_document
def test_every_file_and_test_that_a_document_names_exists(name):
    paths = re.findall(r"(?<![\w/.])(?:tests|tfseqgan|examples|docs)/[\w/.-]*\w", TEXTS[name])
    missing = {path for path in paths if not (ROOT / path).exists()}
    for path, test in re.findall(r"(tests/\w+\.py)::(\w+)", TEXTS[name]):
        if (ROOT / path).exists() and f"def {test}(" not in (ROOT / path).read_text(
            encoding="utf-8"
        ):
            missing.add(f"{path}::{test}")
    assert not missing, f"{name} names {sorted(missing)}"


def test_the_drawn_house_is_the_house():
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*)\|$", TEXTS["docs/architecture.md"], re.MULTILINE)
    assert [room for room, _ in rows] == ORDER
    drawn = {room: set(re.findall(r"\w+", imported)) for room, imported in rows}
    assert drawn == {room: own_imports(room) for room in ORDER}
    assert [
        name for name in re.findall(r"^### \d (\w+)", TEXTS["docs/architecture.md"], re.MULTILINE)
    ] == list(FLOORS)


def test_the_glossary_explains_every_setting():
    missing = [
        field.name
        for field in dataclasses.fields(Settings)
        if f"`{field.name}`" not in TEXTS["docs/glossary.md"]
    ]
    assert not missing


def test_the_glossary_explains_every_figure_of_a_run():
    generator = sg.Generator(vocabulary_size=7, embedding_dim=4, units=8)
    discriminator = sg.Discriminator(
        vocabulary_size=7, embedding_dim=4, filters=3, kernel_sizes=(1, 2)
    )
    generator.compile("adam"), discriminator.compile("adam")
    data = np.array([[3, 4, 5, 2], [3, 6, 2, 0]])
    sizes = {"rounds": 1, "batch_size": 2, "discriminator_batch_size": 4, "discriminator_steps": 1}
    adversarial = sg.fit_adversarial(
        generator,
        discriminator,
        data,
        sg.kl_control(),
        validation_data=data,
        seed=0,
        verbose=0,
        **sizes,
    )
    likelihood = sg.pretrain(
        generator, data, epochs=1, batch_size=2, validation_data=data, seed=0, verbose=0
    )
    figures = {
        *adversarial.history,
        *likelihood.history,
        *sg.evaluate(generator, discriminator, data),
    }
    assert not {figure for figure in figures if f"`{figure}`" not in TEXTS["docs/glossary.md"]}
