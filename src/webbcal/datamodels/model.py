"""The base of all data models: a tree of values and arrays with a schema, read from and saved to files.

Opening reads headers. Arrays stay in the file as array sources until they are touched, and the ASDF
extension until something is asked for that the FITS headers do not hold. An array that is neither in the
file nor set is None.
"""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from webbcal.core.provided import provided
from webbcal.datamodels import saving, search
from webbcal.datamodels.arrayed import Arrayed
from webbcal.datamodels.contents import Contents, Tree, converted
from webbcal.datamodels.fits_wcs import fits_wcs
from webbcal.datamodels.flat import FlatAccess
from webbcal.datamodels.layout import plan_hdus
from webbcal.datamodels.loading import load, with_arrays
from webbcal.datamodels.node import trailing
from webbcal.datamodels.schema import class_schema, merged
from webbcal.datamodels.table import Schema, is_array, making_of, model_rows, property_of
from webbcal.datamodels.validate import Rules

log = logging.getLogger(__name__)


class DataModel(Arrayed, FlatAccess):
    """A product or reference file.

    Parameters
    ----------
    init : None, tuple of int, ndarray, dict, path, file object, HDUList, AsdfFile or DataModel
        Nothing; the shape of the primary array; the primary array; a tree; a FITS or ASDF file; or a model
        to share the arrays of. From a model of the same class all is shared; from another class the
        metadata are copied.
    schema : dict, optional
        A schema in place of the one from the tables.
    strict_validation, pass_invalid_values, validate_on_assignment : bool, optional
        Whether a value that does not fit the keyword table raises (instead of a `ValidationWarning`), is
        kept all the same, and whether values are checked on assignment. By default from the environment
        variables of these names in capitals, else false, false and true.
    **members
        Arrays by attribute name, and what else a class is made of (the transform of a `DistortionModel`, …).
        What the class does not have is left out, as in jwst, with a word in the log.

    Raises
    ------
    InputError
        If the file is damaged, no FITS or ASDF file, or its arrays do not fit the class.
    TypeError
        If a model cannot be made from this, or arrays are given beside a file, tree or model.
    """

    #: Arrays that come into being with their default when they are read, if the primary array exists.
    _created: ClassVar[tuple[str, ...]] = ()
    #: Whether the file carries the full tree in an ASDF extension.
    with_asdf: ClassVar[bool] = True

    def __init__(
        self,
        init: Any = None,
        schema: Schema | None = None,
        pass_invalid_values: bool | None = None,
        strict_validation: bool | None = None,
        validate_on_assignment: bool | None = None,
        validate_arrays: bool = False,
        ignore_missing_extensions: bool = True,
        ignore_unrecognized_tag: bool = False,
        **members: Any,
    ) -> None:
        self._rules = Rules.given(strict_validation, pass_invalid_values, validate_on_assignment)
        self._own_schema = schema
        self._path = ""
        self._contents = Contents({})
        from_file = not (init is None or isinstance(init, (tuple, np.ndarray)))
        arrays = sorted(set(members) - set(making_of(type(self)).arguments))
        if from_file and arrays:
            raise TypeError(f"arrays {arrays} cannot be given together with a file, tree or model")
        if from_file:
            self._set_contents(init)
        elif init is not None:
            self._set_primary(init)
        for name, value in members.items():
            if value is not None:
                self._take_argument(name, value)
        self.on_init(init)

    # What a node needs. The model is the root node; it refers to itself by property, not by reference,
    # so that it is freed, and its file closed, as soon as the last user lets go of it.

    @property
    def _model(self) -> DataModel:  # type: ignore[override]
        return self

    @property
    def contents(self) -> Contents:
        """What this model holds: the tree as it is, with what is still in files."""
        return self._contents

    @property
    def rules(self) -> Rules:
        """What happens to values that do not fit the keyword table."""
        return self._rules

    @property
    def _tree(self) -> Tree:  # type: ignore[override]
        return self._contents.tree

    @property
    def _schema(self) -> Schema:  # type: ignore[override]
        return self._own_schema if self._own_schema is not None else class_schema(type(self))

    def _find(self, name: str, schema: Schema | None) -> bool:
        if name in self._created and self.shape is not None:
            self._tree[name] = self.get_default(name)
            return True
        return super()._find(name, schema)

    def _set_contents(self, init: Any) -> None:
        """Take the contents of whatever this model is made of.

        Raises
        ------
        InputError
            If a file is damaged or of the wrong kind.
        TypeError
            If a model cannot be made from this.
        """
        if isinstance(init, DataModel):
            same = type(init) is type(self)
            name = type(init).__name__
            if not same:
                init.make_defaults()
            self._contents = init.contents if same else converted(init.contents, self._schema, name)
        elif isinstance(init, dict):
            self._contents = Contents(with_arrays(init, self._schema, type(self).__name__))
        else:
            self._contents = load(init, self)
        if self._contents.declares:
            self.extend_schema(self._contents.declares)

    def _take_argument(self, name: str, value: Any) -> None:
        """Set what was given by keyword when the model was made."""
        path = making_of(type(self)).arguments.get(name)
        if path is not None:
            places = {path.replace("*", key): v for key, v in value.items()} if "*" in path else {path: value}
            for place, part in places.items():
                self[place] = part
        elif is_array(property_of(self._schema, name) or {}):
            setattr(self, name, value)
        else:
            log.warning("%s has no array '%s': it is left out", type(self).__name__, name)

    def _set_primary(self, init: tuple[int, ...] | np.ndarray) -> None:
        name = self.get_primary_array_name()
        if isinstance(init, tuple) and not all(isinstance(length, (int, np.integer)) for length in init):
            raise ValueError("a shape is a tuple of integers")
        if not name:
            raise TypeError(f"{type(self).__name__} has no primary array to take a shape or an array")
        if isinstance(init, np.ndarray):
            setattr(self, name, init)
            return
        schema = self._declared(name)
        dtype = self.get_dtype(name) if "datatype" in schema else np.dtype(np.float32)
        setattr(self, name, np.full(init, schema.get("default", 0), dtype))

    def on_init(self, init: Any) -> None:
        """Set the metadata that every model has."""
        if type(self) is not DataModel:
            self._meta_tree()["model_type"] = type(self).__name__

    def make_defaults(self) -> None:
        """Make the arrays that come into being with their default, where they are not there yet."""
        for name in self._created:
            if not self.has(name):
                getattr(self, name)

    def _flat(self, read: bool) -> Iterator[tuple[str, Any]]:
        if read:
            self.make_defaults()
        return super()._flat(read)

    def _meta_tree(self) -> Tree:
        meta: Tree = self._tree.setdefault("meta", {})
        return meta

    # Arrays

    def get_primary_array_name(self) -> str:
        """Return the name of the array that sets the shape of the model, or an empty string."""
        for cls in type(self).__mro__:
            if cls.__name__ in model_rows():
                return model_rows()[cls.__name__].primary
        return "data" if "data" in self._schema["properties"] else ""

    def shape_for(self, name: str, ndim: int | None) -> tuple[int, ...] | None:
        """Return the shape of a default array (None if the primary array does not say)."""
        return trailing(self.shape, ndim)

    # Life

    def close(self) -> None:
        """Close the files behind this model; arrays read later open them again."""
        self._contents.close()

    def reopen(self, path: str | os.PathLike[str]) -> None:
        """Hold what a file of the same class holds, in place of what is in memory.

        After saving, this frees the arrays, also for others who have this model: they are read when touched.
        """
        shared = self._contents
        shared.close()
        self._set_contents(path)
        shared.become(self._contents)
        self._contents = shared

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def copy(self, memo: dict[int, Any] | None = None, shallow: bool = False) -> Self:
        """Return a deep copy; arrays that are still in the file stay there for both.

        With `shallow`, arrays in memory are those of both, too.
        """
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._contents = self._contents.copy(memo, shallow)
        return other

    __copy__ = __deepcopy__ = copy

    def __repr__(self) -> str:
        shape = "" if self.shape is None else str(self.shape)
        filename = self._tree.get("meta", {}).get("filename")
        return f"<{type(self).__name__}{shape}{f' from {filename}' if filename else ''}>"

    def _repr_html_(self) -> str:
        shown: str = provided("notebook").model_html(self)
        return shown

    @property
    def override_handle(self) -> str:
        """A name for this model where that of a reference file would stand."""
        return f"override://{type(self).__name__}"

    @property
    def crds_observatory(self) -> str:
        """The observatory, as CRDS names it."""
        raise NotImplementedError("a plain DataModel has no observatory; use JwstDataModel")

    def get_crds_parameters(self) -> dict[str, Any]:
        """Return the metadata that select reference files: dotted names and values."""
        raise NotImplementedError("a plain DataModel selects no references; use JwstDataModel")

    # Schema and looking around

    @property
    def schema(self) -> Schema:
        """The schema tree: types, FITS keywords and HDUs, arrays."""
        return self._schema

    def extend_schema(self, new_schema: Schema) -> Self:
        """Add declarations to the schema of this model alone."""
        self._own_schema = merged(self._schema, new_schema)
        return self

    def add_schema_entry(self, position: str, new_schema: Schema) -> Self:
        """Add a declaration at a dotted path."""
        for part in reversed(position.split(".")):
            new_schema = {"type": "object", "properties": {part: new_schema}}
        return self.extend_schema(new_schema)

    def find_fits_keyword(self, keyword: str, return_result: bool = True) -> list[str]:
        """Return the dotted paths that are stored under a FITS keyword."""
        return search.find_fits_keyword(self._schema, keyword)

    def search_schema(self, substring: str) -> search.SchemaResults:
        """Return (path, description) of all declarations whose path contains a text, whatever the case."""
        return search.search_schema(self._schema, substring)

    def info(
        self, max_rows: int | None = 24, max_cols: int | None = 120, show_values: bool = True, **_: Any
    ) -> None:
        """Print the tree."""
        print("\n".join(self.describe_tree(max_rows, max_cols, show_values)))

    def describe_tree(
        self, max_rows: int | None = None, max_cols: int | None = None, show_values: bool = True
    ) -> list[str]:
        """Return the lines of the printed tree."""
        self._contents.load_asdf()
        return search.render(self._tree, max_rows, max_cols, show_values)

    def search(
        self, key: Any = None, type: Any = None, value: Any = None, filter: Any = None
    ) -> search.Found:
        """Return the members whose name or value match (regular expressions, or equal values)."""
        self._contents.load_asdf()
        return search.search(self._tree, key, type, value, filter)

    def validate(self) -> None:
        """Check the whole tree against the schema: warn, or raise if strict."""
        for name in self._schema.get("properties", {}):
            value, schema = self._tree.get(name), self._schema["properties"][name]
            self._rules.check(value, schema, name)

    def get_fits_wcs(self, hdu_name: str = "SCI", hdu_ver: int = 1, key: str = " ") -> Any:
        """Return the `astropy.wcs.WCS` that an HDU's header keywords describe (SIP terms included)."""
        return fits_wcs(plan_hdus(self._schema, self._contents), hdu_name, hdu_ver, key)

    # History

    @property
    def history(self) -> list[dict[str, Any]]:
        """The history entries: dictionaries with a ``description``."""
        self._contents.load_asdf()
        return self._contents.history

    @history.setter
    def history(self, entries: list[Any]) -> None:
        self._contents.history[:] = list(entries)
        self._contents.history[:] = self._contents.history_entries()

    def add_history_entry(self, description: str, software: Any = None) -> None:
        """Add an entry, with the time of now, to the history."""
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
        entry = {"description": description, "time": now}
        self._contents.history.append(entry | ({"software": software} if software else {}))

    # Saving

    def on_save(self, path: Any = None) -> None:
        """Set the metadata that follow from saving."""
        if isinstance(path, (str, os.PathLike)):
            self._meta_tree()["filename"] = Path(path).name
        self._meta_tree()["model_type"] = type(self).__name__
        self.make_defaults()

    def save(
        self,
        path: str | os.PathLike[str] | Callable[[str], str],
        dir_path: str | os.PathLike[str] | None = None,
        overwrite: bool = True,
        **_: Any,
    ) -> str:
        """Save to a FITS or ASDF file, by the ending of `path`; the file appears whole or not at all.

        Parameters
        ----------
        path : path, or function from the present file name to a path
            Where to save.
        dir_path : path, optional
            Folder to save to in place of that of `path`.
        overwrite : bool
            Whether to replace a file.

        Returns
        -------
        str
            The path of the file.

        Raises
        ------
        OutputError
            If it cannot be written; nothing partial is left behind.
        """
        target = Path(path(self.meta.filename) if callable(path) else path)
        if dir_path:
            target = Path(dir_path) / target.name
        saving.save(self, target, overwrite)
        return str(target)

    def to_fits(self, path: str | os.PathLike[str], overwrite: bool = False, **_: Any) -> None:
        """Save to a FITS file."""
        saving.save_fits(self, Path(path), overwrite)

    def to_asdf(self, path: str | os.PathLike[str], **_: Any) -> None:
        """Save to an ASDF file."""
        saving.save_asdf(self, Path(path))
