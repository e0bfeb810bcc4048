"""The import law: packages import downwards only, and each outside package has one home."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfseqgan

FOLDER = Path(tfseqgan.__file__).parent
LAW = {
    "files": "",
    "arguments": "",
    "ops": "arguments",
    "symbols": "arguments files",
    "music": "arguments files symbols",
    "datasets": "files music symbols",
    "models": "arguments ops",
    "objectives": "arguments models ops",
    "evaluation": "datasets models music",
    "training": "evaluation files models objectives ops",
    "serving": "arguments evaluation files models music ops symbols",
    "runs": "datasets evaluation files models music objectives ops serving training",
    "cli": "datasets evaluation files runs",
}
TENSORFLOW = {"tensorflow", "keras", "tensorflow_probability"}
WITHOUT_TENSORFLOW = (
    "files",
    "arguments",
    "cli.",
    "symbols.",
    "music.",
    "datasets.",
    "evaluation.metrics",
    "evaluation.music",
    "evaluation.table",
    "runs.comparison",
    "runs.installation",
    "runs.run_records",
    "runs.settings",
    "training.schedule",
    "objectives.names",
)


def name_of(path):
    """Returns a module's name below tfseqgan, such as "models.policy"."""
    return path.relative_to(FOLDER).with_suffix("").as_posix().replace("/", ".")


TREES = {
    name_of(path): ast.parse(path.read_text(encoding="utf-8"))
    for path in FOLDER.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
}
MODULES = sorted(TREES)
PACKAGES = sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))


def imports(name):
    """Returns the dotted names that a module imports anywhere, within functions too."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            submodules = {f"{module}.{alias.name}" for alias in node.names}
            known = {found for found in submodules if found.removeprefix("tfseqgan.") in TREES}
            found |= known or {module}

    return found - {"tfseqgan"}


def own_imports(name):
    """Returns the modules of tfseqgan that a module imports, named below tfseqgan."""
    return {
        found.removeprefix("tfseqgan.") for found in imports(name) if found.startswith("tfseqgan.")
    }


def outside_packages(name):
    """Returns the top-level packages that a module imports."""
    return {found.split(".")[0] for found in imports(name)}


def attributes(name):
    """Returns the dotted attributes that a module reads, such as "tf.distribute.get_strategy"."""
    return {ast.unparse(node) for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)}


def calls(name):
    """Returns the names of the functions that a module calls by a bare name."""
    nodes = (node for node in ast.walk(TREES[name]) if isinstance(node, ast.Call))

    return {node.func.id for node in nodes if isinstance(node.func, ast.Name)}


def package_of(name):
    """Returns the box of the law that a module stands in."""
    return name.split(".")[0]


def test_the_law_names_every_package_and_module_of_the_top():
    assert sorted({package_of(name) for name in MODULES}) == sorted(LAW)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_the_packages_that_the_law_allows(name):
    allowed = {package_of(name), *LAW[package_of(name)].split()}

    assert {package_of(found) for found in own_imports(name)} <= allowed


def test_no_package_imports_one_that_imports_it():
    order = list(LAW)
    for package, allowed in LAW.items():
        assert all(order.index(other) < order.index(package) for other in allowed.split()), package


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_of_a_package_import_each_other_without_a_cycle(package):
    waiting = {
        name: {found for found in own_imports(name) if package_of(found) == package}
        for name in MODULES
        if package_of(name) == package
    }
    while waiting:
        ready = {name for name, needed in waiting.items() if not needed & waiting.keys()}
        assert ready, f"a cycle among {', '.join(waiting)}"
        waiting = {name: needed for name, needed in waiting.items() if name not in ready}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_docstring_lists_its_modules_and_its_line_of_the_law(package):
    tree = ast.parse((FOLDER / package / "__init__.py").read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree, clean=False)
    allowed = ", ".join(LAW[package].split()) or "nothing of tfseqgan"
    listed = re.findall(r"^(\w+)  +\S", docstring, re.MULTILINE)

    assert len(tree.body) == 1
    assert f"May import: {allowed}." in docstring
    assert sorted(listed) == sorted(
        path.stem for path in (FOLDER / package).glob("*.py") if path.stem != "__init__"
    )


def test_a_package_docstring_lists_a_module_after_those_that_it_imports():
    for package in PACKAGES:
        docstring = ast.get_docstring(
            ast.parse((FOLDER / package / "__init__.py").read_text(encoding="utf-8")), clean=False
        )
        order = re.findall(r"^(\w+)  +\S", docstring, re.MULTILINE)
        for name in order:
            needed = {
                found.split(".")[1]
                for found in own_imports(f"{package}.{name}")
                if package_of(found) == package
            }
            assert all(order.index(other) < order.index(name) for other in needed), (
                f"{package}.{name}"
            )


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_imported_by_their_full_names(name):
    assert not [found for found in imports(name) if found.startswith(".")]


@pytest.mark.parametrize("name", MODULES)
def test_no_module_imports_a_private_name_of_another(name):
    nodes = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.ImportFrom)]
    private = [
        alias.name
        for node in nodes
        for alias in node.names
        if alias.name.startswith("_") and alias.name != "__version__"
    ]

    assert not private


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(WITHOUT_TENSORFLOW)])
def test_what_starts_without_tensorflow_imports_none(name):
    assert not outside_packages(name) & TENSORFLOW


@pytest.mark.processes
def test_reading_and_tokenizing_leave_tensorflow_unloaded():
    code = (
        "import sys, tfseqgan as sg\n"
        "sg.read_midi; sg.Tokenizer; sg.load_folder; sg.metrics; sg.format_table\n"
        "sg.SymbolTokenizer\n"
        "import tfseqgan.cli.main, tfseqgan.runs.comparison, tfseqgan.datasets.windows\n"
        "print(sorted(sys.modules.keys() & {'tensorflow', 'keras'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER.parent, capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "package, home",
    [("tensorflow_probability", "models.policy"), ("mido", "music.midi"), ("absl", "cli.main")],
)
def test_an_outside_package_is_imported_in_one_module_alone(package, home):
    assert [name for name in MODULES if package in outside_packages(name)] == [home]


def test_tf_distribute_is_used_in_training_and_runs_alone():
    users = {
        name
        for name in MODULES
        if any(found.startswith("tf.distribute.") for found in attributes(name))
    }
    outside = {name for name in users if package_of(name) not in ("training", "runs")}
    contexts = {
        name for name in users if any("get_replica_context" in found for found in attributes(name))
    }

    assert not outside
    assert contexts == {"training.distribute"}


def test_devices_are_asked_for_in_one_module_alone():
    asking = [name for name in MODULES if "tf.config.list_physical_devices" in attributes(name)]

    assert asking == ["ops.devices"]


def test_the_architecture_page_shows_the_law():
    page = (FOLDER.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", page, re.MULTILINE)
    shown = {package: allowed for package, allowed in rows if package in LAW}

    assert shown == {
        package: ", ".join(allowed.split()) or "nothing of tfseqgan"
        for package, allowed in LAW.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_keras_is_never_reached_through_tensorflow(name):
    assert not [
        found for found in attributes(name) if found.startswith("tf.keras") or ".v1.keras" in found
    ]
    assert not [found for found in imports(name) if found.startswith("tensorflow.")]


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_pickled_or_evaluated(name):
    assert not outside_packages(name) & {"pickle", "dill", "marshal", "shelve", "joblib"}
    assert not calls(name) & {"eval", "exec", "compile", "__import__"}
    keywords = [
        node
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle"
    ]
    assert all(
        isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in keywords
    )


def test_no_module_is_a_drawer_for_odds_and_ends():
    assert not {"utils", "util", "helpers", "common", "misc"} & {
        name.split(".")[-1] for name in MODULES
    }


@pytest.mark.parametrize("name", tfseqgan.__all__)
def test_every_public_name_resolves_and_is_documented(name):
    value = getattr(tfseqgan, name)
    assert inspect.getdoc(value), f"tfseqgan.{name} has no docstring"
    assert name in dir(tfseqgan)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Transformer'"):
        tfseqgan.Transformer  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_every_module_class_and_public_function_has_a_docstring(name):
    tree = TREES[name]
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    members = [
        node
        for owner in (tree, *classes)
        for node in owner.body
        if isinstance(node, ast.FunctionDef)
    ]
    public = [
        node
        for node in (*classes, *members)
        if not node.name.startswith("_") or node.name == "__call__"
    ]

    assert ast.get_docstring(tree)
    assert not [node.name for node in public if not ast.get_docstring(node)]


def is_public(node):
    """Returns whether a function is called from outside: a public name, or a public dunder."""
    return not node.name.startswith("_") or node.name in ("__init__", "__call__")


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_is_typed(name):
    tree = TREES[name]
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    owners = [tree, *(node for node in classes if not node.name.startswith("_"))]
    untyped = []
    for owner in owners:
        functions = [node for node in owner.body if isinstance(node, ast.FunctionDef)]
        for function in filter(is_public, functions):
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            named = [argument for argument in arguments if argument.arg not in ("self", "cls")]
            if function.returns is None or any(argument.annotation is None for argument in named):
                untyped.append(function.name)

    assert not untyped
