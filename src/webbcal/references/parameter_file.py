"""Parameter reference files: the parameters of a step or pipeline, in ASDF.

The structure is that of the field: ``class``, ``name``, ``parameters`` and, for a pipeline, ``steps``, a list
of the same; files written here are read by jwst and the other way round. Also read are the older layout
(everything under ``parameters``) and ``.cfg`` text in sections, ``[steps]`` and ``[[jump]]``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from webbcal.core.errors import OutputError, ParameterError, unreadable
from webbcal.core.leftovers import ENDING, mark
from webbcal.core.sharing import check_size

#: Stands, in what is written for CRDS, where a person has to fill in.
PLACEHOLDER = "<SPECIFY>"
_TO_SPECIFY = ("author", "origin", "pedigree", "reftype", "telescope", "useafter")

Tree = dict[str, Any]


@dataclass
class ParameterFile:
    """Parameters of a step or pipeline, as in a file.

    Attributes
    ----------
    class_name : str
        Class of the step, often with its module; empty if the file does not say.
    name : str or None
        Name of the step.
    parameters : dict
        Values by parameter name; text files give text.
    steps : list of ParameterFile
        Those of a pipeline's steps.
    meta : dict
        Metadata for CRDS.
    """

    class_name: str
    name: str | None
    parameters: Tree = field(default_factory=dict)
    steps: list[ParameterFile] = field(default_factory=list)
    meta: Tree = field(default_factory=dict)

    @property
    def short_class(self) -> str:
        """Class name without module or package: ``JumpStep`` for ``jwst.jump.jump_step.JumpStep``."""
        return self.class_name.rpartition("::")[2].rpartition(".")[2]

    # ---------------------------------------------------------------- reading
    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ParameterFile:
        """Read a parameter file, with the files that it names for its steps (``config_file``).

        Raises
        ------
        ParameterError
            If the file is missing or is no parameter file.
        """
        path = Path(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            message = f"parameter file {path} cannot be read: {error.strerror}"
            raise unreadable(ParameterError, message, error) from error
        try:
            tree = _asdf_tree(path, content) if content.startswith(b"#ASDF") else _text_tree(content)
            return cls._of_tree(tree)._with_named_files(path.parent)
        except ParameterError as error:
            message = f"{path} is no parameter file: {error}"
            raise unreadable(ParameterError, message, error) from error
        except RecursionError as error:
            raise ParameterError(
                f"{path} is no parameter file: it is nested too deep, or names itself"
            ) from error

    @classmethod
    def _of_tree(cls, tree: Mapping[str, Any]) -> ParameterFile:
        if not isinstance(tree, Mapping) or not isinstance(tree.get("parameters"), Mapping):
            raise ParameterError("it has no 'parameters'")
        if "class" not in tree and "class" in tree["parameters"]:
            return cls._of_nested(tree["parameters"], None)
        if not isinstance(tree.get("class"), str):
            raise ParameterError("it does not say which 'class' it is for")
        steps, meta = tree.get("steps") or [], tree.get("meta") or {}
        if not isinstance(steps, list) or not isinstance(meta, Mapping):
            raise ParameterError("its 'steps' are no list, or its 'meta' are no mapping")
        of_steps = [cls._of_tree(step) for step in steps]
        return cls(tree["class"], tree.get("name"), dict(tree["parameters"]), of_steps, dict(meta))

    @classmethod
    def _of_nested(cls, section: Mapping[str, Any], name: str | None) -> ParameterFile:
        """Return what a section of the older layouts holds, where steps are sections in a section."""
        if not isinstance(section, Mapping) or not isinstance(section.get("steps") or {}, Mapping):
            raise ParameterError(f"{name or 'its class'} or the steps in it have no parameters of their own")
        values = dict(section)
        class_name, own_name = values.pop("class", ""), values.pop("name", name)
        steps = [cls._of_nested(step, key) for key, step in (values.pop("steps", None) or {}).items()]
        return cls(class_name or "", own_name, values, steps)

    def _with_named_files(self, folder: Path) -> ParameterFile:
        """Return this with ``config_file`` of each step replaced by what is in that file."""
        steps = []
        for step in self.steps:
            step = step._with_named_files(folder)
            file = step.parameters.pop("config_file", None)
            if file:
                base = type(self).read(_named(folder, file))
                step = replace(
                    base,
                    class_name=step.class_name or base.class_name,
                    name=step.name,
                    parameters=base.parameters | step.parameters,
                    steps=step.steps or base.steps,
                )
            steps.append(step)
        self.steps = steps
        return self

    # ---------------------------------------------------------------- writing
    def write(self, path: str | os.PathLike[str], include_metadata: bool = False) -> None:
        """Write an ASDF parameter file; it appears whole or not at all.

        Parameters
        ----------
        path : path
        include_metadata : bool
            Add the metadata that CRDS wants; what `meta` lacks is marked for a person to fill in.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        import asdf

        tree = self.to_tree()
        if include_metadata or self.meta:
            tree["meta"] = self._metadata() if include_metadata else dict(self.meta)
        path = Path(path)
        temporary = None
        try:
            handle, temporary = tempfile.mkstemp(ENDING, f".{path.name}.{mark()}", path.parent)
            os.close(handle)
            asdf.AsdfFile(tree).write_to(temporary)
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            raise OutputError(f"parameter file {path} cannot be written: {error.strerror}") from error

    def to_tree(self) -> Tree:
        """Return this as plain mappings, lists, text and numbers."""
        # An override that is not given says nothing, and one by a model in memory cannot be written.
        kept = {
            key: _plain(value)
            for key, value in self.parameters.items()
            if not key.startswith("override_") or isinstance(value, (str, os.PathLike))
        }
        tree: Tree = {"class": self.class_name, "name": self.name or self.short_class, "parameters": kept}
        if self.steps:
            tree["steps"] = [step.to_tree() for step in self.steps]
        return tree

    def _metadata(self) -> Tree:
        now = datetime.now(UTC).replace(microsecond=0, tzinfo=None).isoformat()
        template: Tree = dict.fromkeys(_TO_SPECIFY, PLACEHOLDER)
        template |= {"date": now, "instrument": {"name": PLACEHOLDER}}
        template["description"] = f"Parameters of {self.class_name}"
        return dict(sorted((template | self.meta).items()))


def _plain(value: Any) -> Any:
    """Return a parameter's value as YAML holds it; functions and classes by their dotted names."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# ---------------------------------------------------------------- formats


def _named(folder: Path, name: Any) -> Path:
    if not isinstance(name, str):
        raise ParameterError(f"config_file = {name!r} is no name of a file")
    return folder / name


def _asdf_tree(path: Path, content: bytes) -> Tree:
    """Return the tree of an ASDF file; asdf itself is loaded only for content beyond plain YAML."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    def of_tag(loader: Any, tag: str, node: Any) -> Any:
        if not tag.startswith(_PLAIN_TAGS):
            raise _NotPlainError(tag)
        return loader.construct_mapping(node, deep=True)

    Loader.add_multi_constructor("", of_tag)
    try:
        tree = yaml.load(content.partition(b"\n...")[0], Loader)
        check_size(tree)
    except _NotPlainError:
        tree = _tree_by_asdf(path)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # also a 13th month
        raise ParameterError(f"its text is damaged ({error})") from error
    if not isinstance(tree, dict):
        raise ParameterError("it is empty")
    return tree


#: Objects that every ASDF file has, which are mappings.
_PLAIN_TAGS = tuple(f"tag:stsci.edu:asdf/core/{name}-" for name in ("asdf", "software", "extension_metadata"))


class _NotPlainError(Exception):
    """A tag that only asdf understands."""


def _tree_by_asdf(path: Path) -> Tree:
    import asdf

    try:
        with asdf.open(path, lazy_load=False, memmap=False) as file:
            return dict(file.tree)
    except Exception as error:  # asdf raises whatever its parts raise
        raise ParameterError(f"its text is damaged ({error})") from error


def _text_tree(content: bytes) -> Tree:
    """Return the tree of a ``.cfg`` text: ``key = value``, in sections whose depth is their brackets."""
    try:
        lines = enumerate(content.decode("utf-8").splitlines(), 1)
    except UnicodeDecodeError as error:
        raise ParameterError("it is neither ASDF nor text") from error
    top: Tree = {}
    path: list[Tree] = [top]
    for number, line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            _enter_section(path, _without_comment(line), number)
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise ParameterError(f"line {number} is neither 'key = value' nor a [section]: {line!r}")
        path[-1][key.strip().strip("'\"")] = _text_value(value.strip(), lines)
    return {"parameters": top | {"class": top.get("class", "")}}


def _enter_section(path: list[Tree], line: str, number: int) -> None:
    depth = len(line) - len(line.lstrip("["))
    name = line.strip("[]").strip()
    if line != f"{'[' * depth}{line[depth:-depth]}{']' * depth}" or not name or depth > len(path):
        raise ParameterError(f"line {number} is no section: {line!r}")
    del path[depth:]
    path.append(path[-1].setdefault(name, {}))


def _text_value(text: str, following: Iterator[tuple[int, str]]) -> str | list[str]:
    """Return a value: text, or a list if there are commas outside quotes."""
    for quotes in ('"""', "'''"):
        if text.startswith(quotes):
            body = text[3:]
            while quotes not in body:
                try:
                    body += "\n" + next(following)[1]
                except StopIteration:
                    raise ParameterError(f"a text in {quotes} is not closed") from None
            return body.partition(quotes)[0]
    items = [item.strip() for item in _split(_without_comment(text))]
    if len(items) == 1:
        return _unquoted(items[0])
    return [_unquoted(item) for item in items if item]


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _without_comment(text: str) -> str:
    return next(iter(_split(text, "#"))).strip()


def _split(text: str, separator: str = ",") -> list[str]:
    """Split at a character where it is outside quotes."""
    parts, quote = [""], ""
    for character in text:
        if character == separator and not quote:
            parts.append("")
            continue
        if character in "'\"":
            quote = "" if character == quote else quote or character
        parts[-1] += character
    return parts
