"""MkDocs hook: a page for each package, and an error for a public name without a docstring.

`tfseqgan/__init__.pyi` is the one list of public names. The hook reads it with `ast`, asks griffe
for the docstrings, and never imports the library.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tfseqgan"


def read_public_names() -> dict[str, list[tuple[str, str]]]:
    """Returns (name, module that holds it) by package, as the stub lists them."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))

    names: dict[str, list[tuple[str, str]]] = {}
    for node in stub.body:
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        package = node.module.split(".")[1]
        names.setdefault(package, []).extend((alias.name, node.module) for alias in node.names)

    return names


def read_package_titles() -> dict[str, str]:
    """Returns what each package holds, in reading order, as the docstring of tfseqgan says."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree, clean=False) or ""

    return dict(re.findall(r"^    (\w+)  +(\S.*)$", docstring, re.MULTILINE))


def public_members(item: griffe.Object | griffe.Alias) -> Iterator[griffe.Object | griffe.Alias]:
    """Yields a public object and, within a module or a class, what it defines in public."""
    yield item

    if not (item.is_module or item.is_class):
        return
    for member in item.members.values():
        if member.is_alias or member.name.startswith("_"):
            continue
        if member.is_class or member.is_function:
            yield from public_members(member)


def undocumented_names(names: dict[str, list[tuple[str, str]]]) -> list[str]:
    """Returns the paths of the public objects that have no docstring."""
    library = griffe.load("tfseqgan", search_paths=[ROOT], allow_inspection=False)

    missing = []
    for package in names.values():
        for name, module in package:
            holder = library[module.removeprefix("tfseqgan.")]
            if name not in holder.members:
                missing.append(f"{module}.{name} (not found)")
                continue
            missing += [
                item.path for item in public_members(holder[name]) if not item.has_docstring
            ]

    return missing


def page_of(package: str, title: str, names: list[tuple[str, str]]) -> str:
    """Returns the Markdown of a package's page, in which mkdocstrings fills in the docstrings."""
    blocks = [f"# {package}\n\n{title[0].upper()}{title[1:]}.\n"]
    for name, module in names:
        blocks.append(
            f"::: {module}.{name}\n"
            "    options:\n"
            f"      heading: sg.{name}\n"
            f"      toc_label: sg.{name}\n"
        )

    return "\n".join(blocks)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the packages' pages to the site."""
    names = read_public_names()
    titles = read_package_titles()

    unlisted = sorted(names.keys() - titles.keys())
    if unlisted:
        raise Abort(f"tfseqgan/__init__.py does not describe the packages {', '.join(unlisted)}")

    missing = undocumented_names(names)
    if missing:
        raise Abort("Public names without a docstring:\n  " + "\n  ".join(missing))

    packages = [package for package in titles if package in names]
    for package in packages:
        page = page_of(package, titles[package], names[package])
        files.append(File.generated(config, f"{package}.md", content=page))
    config.nav = ["index.md", *(f"{package}.md" for package in packages)]

    return files
