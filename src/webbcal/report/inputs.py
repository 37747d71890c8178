"""Where the inputs of a run are now, or where a run that is repeated puts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from webbcal.associations.sources import is_association_name
from webbcal.core.errors import ParameterError
from webbcal.report.account import Call
from webbcal.run.naming import output_name
from webbcal.run.registry import step_class

#: Class of a model -> which of the products of a pipeline it is.
_KINDS = {"ImageModel": "image", "IFUImageModel": "image", "CubeModel": "ints"}


def found_inputs(call: Call, folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield each input of a run: where it is, or what it was called; and whether it is there.

    Parameters
    ----------
    call : Call
    folder : Path
        That of the product.
    """
    for given in call.inputs:
        place = _found(given, call, folder)
        yield (name_of(given), False) if place is None else (str(place), True)


def are_found(call: Call, folder: Path) -> bool:
    """Tell whether all inputs of a run are on disk.

    One model in memory is not: its name may be that of the file that it was made of.
    """
    in_memory = len(call.inputs) == 1 and "model" in call.inputs[0]
    return not in_memory and all(there for _, there in found_inputs(call, folder))


def made_inputs(call: Call, before: Call, folder: Path, output_dir: str) -> Iterator[tuple[str, bool]]:
    """Yield the inputs of a run as the run before makes them, when that is repeated into `output_dir`.

    No run makes an association: it is where `found_inputs` finds it, or is not there.
    """
    for given, found in zip(call.inputs, found_inputs(call, folder), strict=True):
        made = str(Path(output_dir) / _made(given, before)), True
        yield found if is_association_name(name_of(given)) else made


def name_of(given: Mapping[str, str]) -> str:
    """Return what an input was called."""
    return str(given.get("file") or given.get("model") or "")


def _found(given: Mapping[str, str], call: Call, folder: Path) -> Path | None:
    """Return where an input is: as it was named, beside the product, or in the folder above."""
    name = name_of(given)
    where = next((str(p.value) for p in call.parameters if p.name == "input_dir" and p.value), None)
    places = [Path(name), *([Path(where) / name] if where else []), folder / name]
    places += [folder / Path(name).name, folder.parent / Path(name).name]
    return next((place for place in places if place.is_file()), None)


def _made(given: Mapping[str, str], before: Call) -> str:
    """Return the name of the file that a run makes of its input.

    What was in memory has the name of its file only if it was to be saved; else it has that of the input.
    """
    name = Path(name_of(given)).name
    if "file" in given or name not in {Path(name_of(item)).name for item in before.inputs}:
        return name
    suffix = _suffix(before, given.get("class", ""))
    return output_name(name, suffix, ".fits") if suffix else name


def _suffix(call: Call, kind: str) -> str | None:
    said: dict[str, Any] = {parameter.name: parameter.value for parameter in call.parameters}
    if said.get("suffix"):
        return str(said["suffix"])
    try:
        cls = step_class(call.target)
    except ParameterError:  # a user's own, which is not here
        return None
    products = getattr(cls, "product_suffixes", {})
    return str(products.get(_KINDS.get(kind, "image")) or cls().default_suffix())
