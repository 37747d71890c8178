"""Names of output files, as the field has them.

A product is named after the input with a known suffix replaced: ``jw…_uncal.fits`` becomes ``jw…_rate.fits``.
A step that is saved inside a pipeline has its name there as suffix (``_linearity``), a step that runs alone
its class name (``_linearitystep``); a step with several results numbers them (``_0_rampfitstep``). These
functions take and give names; `webbcal.run.step` decides what goes in.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath
from typing import Literal

from webbcal.associations.containers import is_container, models_of
from webbcal.core.errors import InputError, OutputError, ParameterError
from webbcal.core.suffixes import KNOWN_SUFFIXES as KNOWN_SUFFIXES
from webbcal.core.suffixes import remove_suffix

#: What names of products may end with.
ENDINGS = ("fits", "asdf")
#: What names that products are named after may end with.
_ENDINGS = (".", ".fits", ".fit", ".asdf", ".json", ".yaml", ".yml", ".ecsv")


def output_name(
    basepath: str | os.PathLike[str],
    suffix: str | Literal[False] | None,
    ext: str | None = None,
    **components: object,
) -> str:
    """Return the file name of a product.

    Parameters
    ----------
    basepath : path
        Name that it is made from; folders in it are ignored, and so is its extension if `ext` is given.
    suffix : str, False or None
        Suffix that replaces a known one. False or None: no suffix, and the name keeps the one that it has.
    ext : str, optional
        Extension, with or without the point.
    **components
        What goes before the suffix, in this order: ``idx=0``, ``asn_id="a3001"``; None is left out.

    Examples
    --------
    >>> output_name("jw01_nrca1_uncal.fits", "rate", ".fits")
    'jw01_nrca1_rate.fits'
    >>> output_name("jw01_nrca1_jumpstep.fits", "rampfitstep", ".fits", idx=0)
    'jw01_nrca1_0_rampfitstep.fits'
    """
    path = PurePath(basepath)
    base = _stem(path.name) if ext else os.path.splitext(path.name)[0]  # noqa: PTH122
    extension = (ext or path.suffix).removeprefix(".")
    parts = "".join(f"_{value}" for value in components.values() if value is not None)
    if not suffix:
        return f"{base}{parts}.{extension}"
    base, separator = remove_suffix(base)
    return f"{base}{parts}{separator}{suffix}.{extension}"


def _stem(name: str) -> str:
    """Return a name without the ending of a file; other points are part of the name (``field.1``)."""
    base, ending = os.path.splitext(name)  # noqa: PTH122 - the stem of ".x" and "x." differs with pathlib
    if ending.lower() == ".gz":
        return _stem(base)
    return base if ending.lower() in _ENDINGS else name


def name_to_start_from(
    *,
    output_file: str | None,
    model_filename: str | None,
    input_filename: str | None,
    step_name: str,
    output_ext: str,
    use_model: bool = False,
    search_output_file: bool = True,
    inherited_output_file: str | None = None,
) -> tuple[str, bool]:
    """Return the name that a product's name is made from, and whether an index may be added to it.

    In order: the model's own file name, if `use_model` (or if there is no `output_file` and those of the
    enclosing pipeline shall not be used); `output_file`, given or inherited from the pipeline; the name of
    the input; ``step_<name>``. A name of the model's own takes no index.
    """
    if model_filename and (use_model or (not output_file and not search_output_file)):
        return model_filename, False
    inherited = inherited_output_file if search_output_file else None
    return output_file or inherited or input_filename or f"step_{step_name}{output_ext}", True


def name_of_input(init: object) -> str | None:
    """Return the file name of a path or model, of the first of several; None if it has none."""
    if hasattr(init, "fileinfo") and hasattr(init, "filename"):  # what astropy has opened
        return name_of_input(init.filename())
    if is_container(init):
        init = models_of(init, most=1)
    if isinstance(init, (list, tuple)) and init:
        return name_of_input(init[0])
    if isinstance(init, (str, os.PathLike)):
        name = os.fspath(init)
        check_text(name)
        return name
    return getattr(getattr(init, "meta", None), "filename", None)


def check_text(name: str) -> None:
    """Make sure that a file name is text: products say what they were made of.

    Raises
    ------
    InputError
        If it is not.
    """
    try:
        os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise InputError(f"the file name {shown} is not UTF-8; give the file another name") from None


def check_ending(ext: str, owner: str) -> None:
    """Make sure that files with this ending can be written.

    Raises
    ------
    ParameterError
        If they cannot.
    """
    if ext.removeprefix(".") not in ENDINGS:
        known = " or ".join(f".{ending}" for ending in ENDINGS)
        raise ParameterError(f"{owner} = {ext!r}: products end with {known}")


def check_distinct(paths: Iterable[str]) -> None:
    """Make sure that no two products of a run have one name.

    Raises
    ------
    OutputError
        Naming the file.
    """
    seen: set[str] = set()
    for path in map(os.path.abspath, paths):
        if path in seen:
            raise OutputError(
                f"two products of this run would be written to {path}; give them names of their own "
                "(output_file, suffix), or run their inputs one at a time into folders of their own"
            )
        seen.add(path)


def output_folder(output_dir: str | os.PathLike[str] | None) -> str:
    """Return the folder for products, with ``~`` and environment variables expanded ("" is here)."""
    return os.path.expandvars(os.path.expanduser(os.fspath(output_dir or "")))  # noqa: PTH111
