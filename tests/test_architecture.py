"""The floor plan is the law: one list of modules in order, and each imports only modules above it."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfseqgan

FLOORS = {
    "music": "score voices files midi abc_notation events neighbours tokenizer harmony session duplicates reading datasets download metrics",
    "mathematics": "returns sparse likelihood rows sampling",
    "players": "replicas recurrence embedding generator spectra convolution discriminator policy rollouts",
    "objectives": "rewards credit baselines objectives",
    "training": "evaluation callbacks checkpointing rounds optimizer pretraining game training",
    "delivery": "presets tables windows pretrained folders export served runs cli",
}
ORDER = " ".join(FLOORS.values()).split()
FOLDER = Path(tfseqgan.__file__).parent
TREES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")}
MODULES = sorted(TREES.keys() - {"__init__"})
LONGEST_FUNCTION = 40


def imports(name):
    """Returns the dotted names that a module imports anywhere, within functions too; names out of tfseqgan as tfseqgan.<module>."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "tfseqgan":
            found |= {f"tfseqgan.{tfseqgan._HOME_OF.get(alias.name) or alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found - {"tfseqgan.__version__"}


def own_imports(name):
    """Returns the modules of tfseqgan that a module imports."""
    return {found.removeprefix("tfseqgan.") for found in imports(name) if found.split(".")[0] == "tfseqgan"}


def packages(name):
    """Returns the top-level packages that a module imports."""
    return {found.split(".")[0] for found in imports(name)}


def calls(name):
    """Returns the names of the functions that a module calls by a bare name."""
    return {node.func.id for node in ast.walk(TREES[name]) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def functions(name):
    """Yields the functions and methods of a module."""
    return (node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef))


def length(function):
    """Returns how many lines a function's body has, its docstring left out."""
    first = function.body[1 if ast.get_docstring(function) else 0 :]
    return function.end_lineno - first[0].lineno + 1 if first else 0


def test_the_floor_plan_in_the_packages_docstring_is_this_list():
    floors = re.findall(r"^    (\d) (\w+) +(.+)$", tfseqgan.__doc__, re.MULTILINE)
    assert {name: modules for _, name, modules in floors} == FLOORS
    assert [int(number) for number, _, _ in floors] == list(range(1, len(FLOORS) + 1))


def test_every_module_stands_in_the_list_and_the_list_names_no_other():
    assert MODULES == sorted(ORDER)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_modules_above_it(name):
    below = own_imports(name) - set(ORDER[: ORDER.index(name)])
    assert not below, f"tfseqgan.{name} imports {', '.join(sorted(below))}, which do not stand above it in the list"


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_imported_by_their_full_names(name):
    assert not [found for found in imports(name) if found.startswith(".")]


@pytest.mark.parametrize("name", FLOORS["music"].split())
def test_the_music_floor_imports_no_tensorflow(name):
    assert not packages(name) & {"tensorflow", "keras", "tensorflow_probability"}


def test_reading_and_tokenizing_leave_tensorflow_unloaded():
    code = (
        "import sys, tfseqgan; tfseqgan.read_midi; tfseqgan.Tokenizer; tfseqgan.metrics\n"
        "print(sorted(sys.modules.keys() & {'tensorflow', 'keras'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parent, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("package, home", [("tensorflow_probability", "policy"), ("mido", "midi"), ("absl", "cli")])
def test_a_package_is_imported_in_one_module_alone(package, home):
    assert [name for name in MODULES if package in packages(name)] == [home]


@pytest.mark.parametrize("name", MODULES)
def test_keras_is_never_reached_through_tensorflow(name):
    through = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute) and node.attr == "keras"]
    assert not through and not any(found.startswith("tensorflow.") for found in imports(name))


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_pickled_or_evaluated(name):
    assert not packages(name) & {"pickle", "dill", "marshal", "shelve", "joblib"}
    assert not calls(name) & {"eval", "exec", "compile", "__import__"}
    keywords = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.keyword) and node.arg == "allow_pickle"]
    assert all(isinstance(keyword.value, ast.Constant) and keyword.value.value is False for keyword in keywords)


def test_there_is_no_drawer_for_odds_and_ends():
    assert not {"utils", "util", "helpers", "common", "misc"} & set(MODULES)


@pytest.mark.parametrize("name", tfseqgan.__all__)
def test_every_public_name_resolves_and_is_documented(name):
    value = getattr(tfseqgan, name)
    assert inspect.getdoc(value), f"tfseqgan.{name} has no docstring"
    assert name in dir(tfseqgan)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Transformer'"):
        tfseqgan.Transformer


@pytest.mark.parametrize("name", MODULES)
def test_every_module_class_and_public_function_has_a_docstring(name):
    tree = TREES[name]
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    members = [node for owner in (tree, *classes) for node in owner.body if isinstance(node, ast.FunctionDef)]
    public = [node for node in (*classes, *members) if not node.name.startswith("_") or node.name == "__call__"]
    assert ast.get_docstring(tree)
    assert not [node.name for node in public if not ast.get_docstring(node)]


@pytest.mark.parametrize("name", MODULES)
def test_no_function_is_longer_than_a_screen(name):
    long = {function.name: length(function) for function in functions(name) if length(function) > LONGEST_FUNCTION}
    assert not long, f"lines of code, at most {LONGEST_FUNCTION} expected: {long}"
