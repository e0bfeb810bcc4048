"""The examples run and do what they promise, and the documents name only what exists."""

import ast
import dataclasses
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tfseqgan as sg
from tfseqgan.cli import main
from tfseqgan.objectives.names import RECIPE_NAMES as RECIPES
from tfseqgan.runs.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}
TWO_SCREENS = 140  # lines

# Smaller numbers for the README's code, so that it runs in seconds.
SMALLER = {
    "sg.synthetic_tunes()": "sg.synthetic_tunes(num_tunes=40)",
    "units=256": "units=8",
    "epochs=15": "epochs=1",
    "rounds=50": "rounds=2",
    "discriminator_pretraining_rounds=10": "discriminator_pretraining_rounds=1",
    "length=256": "length=60",
    "length=400": "length=60",
}

every_document = pytest.mark.parametrize("name", TEXTS)


def run_python(folder: Path, *arguments: str) -> str:
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


def run_example(folder: Path, name: str, *flags: str) -> str:
    """Runs an example in a folder and returns what it printed."""
    return run_python(folder, str(ROOT / "examples" / name), *flags)


def find_numbers(pattern: str, text: str) -> np.ndarray:
    """Returns the numbers that the groups of a pattern find, one row for each match."""
    matches = re.finditer(pattern, text)
    return np.array([[float(group) for group in match.groups()] for match in matches])


def read_midi_files(folder: Path, pattern: str = "*.mid") -> list[sg.Score]:
    """Returns the tunes of the MIDI files in a folder, in the order of the file names."""
    return [sg.read_midi(path) for path in sorted(folder.glob(pattern))]


def read_table(text: str) -> dict[str, dict[str, float | None]]:
    """Returns the figures of a printed table: model → column → figure without its error.

    A wide table is printed in blocks of columns, each with the models' names.
    """
    rows: dict[str, dict[str, float | None]] = {}
    for block in text.strip().split("\n\n"):
        header, *lines = [re.split(r" {2,}", line) for line in block.splitlines()]
        for name, *cells in lines:
            figures = [None if cell == "-" else float(cell.split()[0]) for cell in cells]
            rows.setdefault(name, {}).update(zip(header[1:], figures, strict=True))

    return rows


# ---- the examples


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_on_two_screens_and_says_how_to_run_it(path):
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= TWO_SCREENS
    assert f"python examples/{path.name}" in ast.get_docstring(ast.parse(text))


@pytest.mark.processes
def test_01_the_composed_tunes_are_written_and_drawn(tmp_path):
    flags = ["--num", "5", "--seed", "3", "--out", "tunes"]
    shown = run_example(tmp_path, "01_compose_and_listen.py", *flags)

    # The files hold the tunes that the library composes from this seed.
    tunes = sg.synthetic_tunes(3, num_tunes=5, validation_fraction=0).train
    written = read_midi_files(tmp_path / "tunes")
    assert [(tune.melody, tune.chords, tune.name) for tune in written] == [
        (tune.melody, tune.chords, tune.name) for tune in tunes
    ]

    # The picture has as many O as the first four bars have notes. The first tune is a jig.
    *rows, bass_row = shown.split("first four bars\n\n")[1].splitlines()
    jig_bar_ticks = 72
    end = tunes[0].chords[0].start_ticks + 4 * jig_bar_ticks
    notes = [note for note in tunes[0].melody if note.start_ticks < end]
    cells = [row[len("  D4 ") :] for row in rows]
    assert sum(row.count("O") for row in cells) == len(notes)

    # All rows have the same bar lines.
    assert bass_row.startswith("bass")
    assert len({row.count("|") for row in [*rows, bass_row]}) == 1


@pytest.mark.processes
@pytest.mark.slow
def test_02_a_sampler_learns_and_writes_tunes(tmp_path):
    shown = run_example(tmp_path, "02_train_a_sampler.py", "--quick")

    pattern = r"validation NLL (\S+) nats per token, a uniform guess (\S+)"
    [[nll, uniform_nll]] = find_numbers(pattern, shown)
    assert nll < uniform_nll - 0.5

    tunes = read_midi_files(tmp_path / "tunes")
    assert len(tunes) == 4
    assert all(len(tune.melody) > 20 for tune in tunes)


@pytest.mark.processes
@pytest.mark.slow
def test_03_merl_buys_entropy_with_likelihood(tmp_path):
    shown = run_example(tmp_path, "03_compare_objectives.py", "--quick")

    rows = read_table(shown[shown.index("model ") :])
    assert list(rows) == [
        "maximum likelihood",
        "REINFORCE",
        "with baseline",
        "MERL, α = 1",
        "KL control, β = 1",
    ]

    entropies = {name: row["H(gen)"] for name, row in rows.items()}
    merl_entropy = entropies.pop("MERL, α = 1")
    assert merl_entropy > max(entropies.values()) + 0.3

    nlls = {name: row["H(data,gen)"] for name, row in rows.items()}
    assert nlls["MERL, α = 1"] > nlls["maximum likelihood"] + 0.05
    assert nlls["MERL, α = 1"] > nlls["KL control, β = 1"]

    rewards = [row["reward"] for name, row in rows.items() if name != "maximum likelihood"]
    assert all(0 <= reward <= 1 for reward in rewards)


@pytest.mark.processes
@pytest.mark.slow
def test_04_the_rule_is_learned_and_the_tunes_are_not_forgotten(tmp_path):
    shown = run_example(tmp_path, "04_reward_of_your_own.py", "--quick")

    before, after = find_numbers(r": (\S+) leaps in a hundred steps, (\S+) nats", shown)
    leaps_before, nll_before = before
    leaps_after, nll_after = after
    assert leaps_after < 0.7 * leaps_before
    assert nll_after < nll_before + 1


@pytest.mark.processes
@pytest.mark.slow
def test_05_the_expected_gradient_is_that_of_j_and_merl_ends_at_its_optimum(tmp_path):
    shown = run_example(tmp_path, "05_tabular_world.py")

    # No baseline, leave-one-out, and the mean of a batch of two.
    factors_and_errors = find_numbers(r"gradient = (\S+) × ∇J, largest difference (\S+)", shown)
    np.testing.assert_allclose(factors_and_errors, [[1, 0], [1, 0], [0.5, 0]], atol=1e-9)

    # A small α prefers one of the 27 sequences, and α = 1 hardly prefers any.
    pattern = r"likeliest sequence (\S+), largest difference from exp\(R/α\)/Z (\S+)"
    small_alpha, alpha_one = find_numbers(pattern, shown)
    assert small_alpha[0] > 0.2
    assert alpha_one[0] < 2 / 27
    assert max(small_alpha[1], alpha_one[1]) < 1e-3


@pytest.mark.processes
@pytest.mark.slow
def test_06_every_continuation_begins_as_the_tune_does_and_goes_its_own_way(tmp_path):
    flags = ["--quick", "--num", "3", "--out", "continued"]
    run_example(tmp_path, "06_continue_a_tune.py", *flags)

    tune = sg.synthetic_tunes(seed=1, num_tunes=1).train[0]
    beginning = sg.read_midi(tmp_path / "continued" / "beginning.mid")
    continued = read_midi_files(tmp_path / "continued", "continued_*.mid")

    # The last note of the beginning may be shortened by the note that follows it.
    kept = beginning.melody[:-1]
    assert len(kept) > 20
    starts_of_the_tune = [note.start_ticks for note in tune.melody[: len(kept)]]
    assert [note.start_ticks for note in kept] == starts_of_the_tune

    assert len(continued) == 3
    for score in continued:
        assert score.melody[: len(kept)] == kept
        assert len(score.melody) > len(kept) + 10
        assert (score.key, score.time_signature) == (tune.key, tune.time_signature)
    assert len({score.melody for score in continued}) == 3


@pytest.mark.processes
@pytest.mark.slow
def test_07_every_recipe_trains_a_generator_of_ones_own(tmp_path):
    shown = run_example(tmp_path, "07_generator_of_your_own.py", "--quick")

    rows = re.findall(r"^(.*): (\S+) nats a held-out token, entropy (\S+)$", shown, re.MULTILINE)
    figures = {name: (float(nll), float(entropy)) for name, nll, entropy in rows}
    assert list(figures) == ["maximum likelihood", *RECIPES]

    # A round of a recipe moves the weights, and not far: the rows are learned, log 8 is not.
    nlls = [nll for nll, _ in figures.values()]
    assert max(nlls) < np.log(8) / 2
    assert all(figures[name] != figures["maximum likelihood"] for name in RECIPES)


@pytest.mark.processes
@pytest.mark.slow
def test_08_a_text_is_learned_and_written_by_its_own_characters(tmp_path):
    paragraphs = ["ab abc abcd. ", "abcd abc ab. "]
    text = "\n\n".join(paragraphs[index % 2] * 8 for index in range(6))
    (tmp_path / "text.txt").write_text(f"{text}\n\nabc abé.\n", encoding="utf-8")

    flags = ["text.txt", "--epochs", "12", "--num", "2"]
    shown = run_example(tmp_path, "08_text_from_a_file.py", *flags)

    # The é stands in the paragraph that is held out alone.
    assert shown.startswith("7 characters,")
    [[nll, baseline]] = find_numbers(r"held out: (\S+) nats .* alone (\S+)", shown)
    assert nll < baseline
    _, *written = shown.split("alone")[1].strip().split("\n\n")
    assert len(written) == 2
    assert all(set(text) <= set("abcd .?") for text in written)


def test_the_example_on_text_imports_nothing_of_music():
    tree = ast.parse((ROOT / "examples" / "08_text_from_a_file.py").read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    names = {node.attr for node in nodes if ast.unparse(node.value) == "sg"}

    assert "SymbolTokenizer" in names
    assert not [name for name in names if sg._MODULES_BY_NAME[name].startswith("tfseqgan.music")]


# ---- the documents


@pytest.mark.processes
@pytest.mark.slow
def test_the_readmes_python_does_what_it_says(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", TEXTS["README.md"], re.MULTILINE | re.DOTALL)
    code = "\n".join(blocks)
    for size, smaller in SMALLER.items():
        assert size in code, f"README.md no longer contains {size}; update SMALLER"
        code = code.replace(size, smaller)

    # Of random weights, hardly trained, one in many writes a tune without a melody.
    code = f"import keras\nkeras.utils.set_random_seed(0)\n{code}"
    code += "\nassert history.epoch == [-1, 0, 1], history.epoch\n"
    shown = run_python(tmp_path, "-c", code)

    for column in ("nll", "bleu", "entropy", "reward_mean", "precision", "recall", "auc"):
        assert f"'{column}'" in shown
    assert sg.read_midi(tmp_path / "tune.mid").melody


def shell_blocks(name):
    """Returns the blocks of a document that are for the shell."""
    return re.findall(r"^```sh\n(.*?)^```", TEXTS[name], re.MULTILINE | re.DOTALL)


def parse_commands(name):
    """Returns the parsed command lines of tfseqgan in a document's blocks for the shell."""
    lines = re.findall(r"\btfseqgan ([a-z][^\n;|#]*)", "\n".join(shell_blocks(name)))

    return [main.parse(["tfseqgan", *shlex.split(line.replace("$seed", "0"))]) for line in lines]


@pytest.mark.parametrize("name", ["README.md", "docs/command_line.md", "docs/fine_tuning.md"])
def test_every_command_that_a_document_shows_can_be_parsed(name):
    assert len(parse_commands(name)) >= 3


def test_no_two_commands_of_the_readme_write_to_one_folder():
    folders = [args.out for args in parse_commands("README.md") if getattr(args, "out", None)]

    assert len(folders) >= 8
    assert len(set(folders)) == len(folders)


def test_the_readme_finds_the_command_where_it_has_installed_it():
    first, *others = [block for block in shell_blocks("README.md") if "tfseqgan" in block]

    assert ". .venv/bin/activate && pip install -q ." in first.splitlines()[0]
    assert not any("bin/" in block for block in others)


@every_document
def test_every_relative_link_leads_somewhere(name):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", TEXTS[name])
    relative = [link for link in links if "://" not in link]

    folder = (ROOT / name).parent
    missing = [link for link in relative if not (folder / link).exists()]
    assert not missing, f"{name} links to {missing}"


@every_document
def test_every_file_that_a_document_names_exists(name):
    paths = re.findall(r"(?<![\w/.])(?:tests|tfseqgan|examples|docs)/[\w/.-]*\w", TEXTS[name])

    missing = {path for path in paths if not (ROOT / path).exists()}
    assert not missing, f"{name} names {sorted(missing)}"


@every_document
def test_every_test_that_a_document_names_exists(name):
    missing = []
    for path, test in re.findall(r"(tests/[\w/]+\.py)::(\w+)", TEXTS[name]):
        file = ROOT / path
        if not file.exists() or f"def {test}(" not in file.read_text(encoding="utf-8"):
            missing.append(f"{path}::{test}")

    assert not missing, f"{name} names {missing}"


def test_the_glossary_explains_every_setting():
    names = [field.name for field in dataclasses.fields(Settings)]

    missing = [name for name in names if f"`{name}`" not in TEXTS["docs/glossary.md"]]
    assert not missing


@pytest.mark.slow
def test_the_glossary_explains_every_figure_of_a_run():
    generator = sg.Generator(vocabulary_size=7, embedding_dim=4, units=8)
    discriminator = sg.Discriminator(
        vocabulary_size=7,
        embedding_dim=4,
        filters=3,
        kernel_sizes=(1, 2),
    )
    generator.compile("adam")
    discriminator.compile("adam")
    data = np.array([[3, 4, 5, 2], [3, 6, 2, 0]])

    adversarial = sg.fit_adversarial(
        generator,
        discriminator,
        data,
        sg.kl_control(),
        rounds=1,
        batch_size=2,
        discriminator_steps=1,
        discriminator_batch_size=4,
        validation_data=data,
        seed=0,
        verbose=0,
    )
    likelihood = sg.pretrain(
        generator,
        data,
        epochs=1,
        batch_size=2,
        validation_data=data,
        seed=0,
        verbose=0,
    )
    columns = sg.evaluate(generator, discriminator, data)

    figures = {*adversarial.history, *likelihood.history, *columns}
    missing = {figure for figure in figures if f"`{figure}`" not in TEXTS["docs/glossary.md"]}
    assert not missing
