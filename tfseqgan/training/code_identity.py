"""Which function a run was started with, so that it is not resumed with another.

A function cannot be saved as data. What can be saved is its name, which for every lambda is the
same, and a hash of its code.
"""

import dataclasses
import functools
import hashlib
import inspect
import platform
import types
from typing import Any

Identity = dict[str, Any]
"""Plain values: "name", "python" (the version whose bytecode was hashed), "code" (the hash, or None
where there is no code) and "is_all" (whether code and values say all that the function depends on,
global variables aside)."""


def _is_plain(value: Any) -> bool:
    """Returns whether the representation of a value says all about it."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))

    return value is None or isinstance(value, bool | int | float | complex | str | bytes)


def _describe_code(code: types.CodeType, docstring: str | None) -> str:
    """Returns the instructions, names and constants of a function, its docstring left out."""
    constants = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            constants.append(_describe_code(constant, None))
        elif isinstance(constant, frozenset):
            constants.append(repr(sorted(map(repr, constant))))
        else:
            is_docstring = docstring is not None and constant == docstring
            constants.append(repr(None if is_docstring else constant))

    return repr((code.co_code, code.co_names, code.co_freevars, constants))


def _describe_value(value: Any, within: tuple[Any, ...]) -> tuple[str, bool]:
    """Returns what is known of a value that a function depends on, and whether that is all."""
    if isinstance(value, types.FunctionType):
        if value in within:  # it calls itself, or the one that calls it
            return value.__qualname__, True
        return _describe_function(value, within)

    return (repr(value), True) if _is_plain(value) else ("", False)


def _describe_function(
    function: types.FunctionType, within: tuple[Any, ...] = ()
) -> tuple[str, bool]:
    """Returns code, defaults and closure of a function, and whether that is all."""
    values = [*(function.__defaults__ or ()), *sorted((function.__kwdefaults__ or {}).items())]
    values += inspect.getclosurevars(function).nonlocals.values()
    described = [_describe_value(value, (*within, function)) for value in values]

    texts = [_describe_code(function.__code__, function.__doc__), *(text for text, _ in described)]

    return repr(texts), all(is_all for _, is_all in described)


def _describe(part: Any) -> tuple[str | None, bool]:
    """Returns what is known of a callable, or None, and whether that is all."""
    if isinstance(part, types.FunctionType):
        return _describe_function(part)
    if isinstance(part, types.MethodType):  # what it is bound to cannot be seen
        text, _ = _describe(part.__func__)
        return text, False
    if isinstance(part, functools.partial):
        text, is_all = _describe(part.func)
        values, are_all = _describe_value((*part.args, *sorted(part.keywords.items())), ())
        return f"{text}{values}", is_all and are_all

    call = type(part).__call__
    if not isinstance(call, types.FunctionType):
        return None, False

    text, is_all = _describe_function(call)
    if not dataclasses.is_dataclass(part) or isinstance(
        part, type
    ):  # an object whose attributes cannot be seen
        return text, False
    values, are_all = _describe_value(dataclasses.astuple(part), ())

    return f"{text}{values}", is_all and are_all


def _name(part: Any) -> str:
    """Returns the qualified name of a function, or of the class of an object."""
    if isinstance(part, functools.partial):
        return f"partial({_name(part.func)})"

    return getattr(part, "__qualname__", type(part).__qualname__)


def code_identity(part: Any) -> Identity:
    """Returns what can be known of a callable: its qualified name and a hash of its code.

    The hash covers the instructions, names and constants of the function and of those within it,
    its defaults, and the values that it closes over where they are plain; not the docstring, and
    not global variables.

    Args:
        part: a function, a method, a `functools.partial`, or an object that can be called.

    Returns:
        Plain values that JSON keeps.

    Example:
        >>> first, again, other = (lambda x: x + 1), (lambda x: x + 1), (lambda x: x + 2)
        >>> code_identity(first) == code_identity(again)
        True
        >>> code_identity(first) == code_identity(other)
        False
    """
    part = inspect.unwrap(part)
    text, is_all = _describe(part)
    code = None
    if text is not None:
        code = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]

    return {
        "name": _name(part),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "code": code,
        "is_all": is_all,
    }


def is_of_tfseqgan(part: Any) -> bool:
    """Returns whether a part is the library's own, whose name says what it is."""
    module = getattr(part, "__module__", None) or type(part).__module__

    return module == "tfseqgan" or module.startswith("tfseqgan.")


def code_identities(**parts: Any) -> dict[str, Identity]:
    """Returns the identity of each callable that is not the library's own, by name.

    Args:
        **parts: callables by name; None for none.
    """
    own = {
        name: part for name, part in parts.items() if part is not None and not is_of_tfseqgan(part)
    }

    return {name: code_identity(part) for name, part in own.items()}


def is_known_to_differ(saved: Identity, now: Identity) -> bool:
    """Returns whether two identities are surely of different functions.

    Hashes of two versions of Python say nothing, since each has its own instructions.

    Example:
        >>> is_known_to_differ(code_identity(abs), code_identity(max))
        True
    """
    if saved["name"] != now["name"]:
        return True
    is_comparable = saved["python"] == now["python"] and None not in (saved["code"], now["code"])

    return is_comparable and saved["code"] != now["code"]


def is_known_to_be_same(saved: Identity, now: Identity) -> bool:
    """Returns whether two identities are surely of one function, global variables aside."""
    return saved == now and now["code"] is not None and now["is_all"]
