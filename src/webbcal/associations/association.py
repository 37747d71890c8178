"""The association: a tree as in its file, and typed views of it.

The tree is the truth: scripts of the field edit it (``asn["products"][0]["members"].append(...)``), and what
webbcal does not know survives a round trip. `Product` and `Member` are frozen views, made anew at each look.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webbcal.associations.sources import YAML_SUFFIXES, is_name, name_of
from webbcal.associations.validation import is_bare, validate
from webbcal.core.errors import InputError, MissingInputError, OutputError, ParameterError
from webbcal.core.leftovers import ENDING, mark

#: Name of an association that was made from a file or model that came alone.
SINGLETON = "singleton"


@dataclass(frozen=True)
class Member:
    """An exposure or table in a product.

    Attributes
    ----------
    expname : str
        File name, relative to the folder of the association.
    exptype : str
        Role in the product, in lower case: ``science``, ``background``, …
    extra : dict
        Whatever else its entry says: ``group_id``, ``tweakreg_catalog``, ``exposerr``, ….
    model : object, optional
        The data model, if the member is not a file.
    """

    expname: str
    exptype: str = "science"
    extra: Mapping[str, Any] = field(default_factory=dict)
    model: Any = None

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Member:
        """Return the view of an entry in ``members``."""
        extra = {k: v for k, v in entry.items() if k not in ("expname", "exptype")}
        source = entry["expname"]
        model = None if is_name(source) else source
        return cls(name_of(source), entry["exptype"].lower(), extra, model)

    def entry(self) -> dict[str, Any]:
        """Return the entry in ``members`` that this is a view of."""
        source = self.expname if self.model is None else self.model
        return {"expname": source, "exptype": self.exptype, **self.extra}


@dataclass(frozen=True)
class Product:
    """What is made from the members: the name is the root of the names of output files."""

    name: str | None
    members: tuple[Member, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def members_of(self, *exptypes: str) -> list[Member]:
        """Return the members with these roles (all, if none is given), in the order of the association."""
        return [m for m in self.members if not exptypes or m.exptype in exptypes]

    @property
    def science(self) -> list[Member]:
        """The science members."""
        return self.members_of("science")

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Product:
        """Return the view of an entry in ``products``."""
        extra = {k: v for k, v in entry.items() if k not in ("name", "members")}
        return cls(entry.get("name"), tuple(map(Member.from_entry, entry["members"])), extra)

    def entry(self) -> dict[str, Any]:
        """Return the entry in ``products`` that this is a view of."""
        name = {} if self.name is None else {"name": self.name}
        return {**name, "members": [m.entry() for m in self.members], **self.extra}


class Association(dict[str, Any]):
    """Products, their members, and what is said about the whole; a dictionary of the keys of the file.

    Parameters
    ----------
    data : mapping
        The tree, as in the file; its values are kept, not copied.
    path : path, optional
        File that it was read from; members are looked for in its folder.
    acid : str
        Candidate id that goes into the suggested file name.
    number : int
        Goes there, too: those of one candidate and type are counted.
    stamp : str, optional
        Version that goes there, too.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        path: str | os.PathLike[str] | None = None,
        acid: str = "o999",
        number: int = 1,
        stamp: str | None = None,
    ) -> None:
        super().__init__(data)
        self.path = None if path is None else Path(path)
        self.acid = acid
        self.number = number
        self.stamp = stamp

    @classmethod
    def of_products(cls, products: Iterable[Product], **keys: Any) -> Association:
        """Make an association of products and other keys (``asn_rule="Asn_Lv3Image"``, …)."""
        return cls({**keys, "products": [product.entry() for product in products]})

    @property
    def data(self) -> dict[str, Any]:
        """The tree, as in the file."""
        return self

    def __repr__(self) -> str:
        products = ", ".join(f"{p.name} ({len(p.members)} members)" for p in self.products)
        return f"<Association {self.filename}: {products}>"

    asn_type = property(lambda self: self.get("asn_type"), doc="Kind of processing, as ``image3``.")
    asn_rule = property(lambda self: self.get("asn_rule"), doc="Rule that made the association.")
    asn_id = property(lambda self: self.get("asn_id"), doc="Identifier; it is in names of ``_crf`` files.")
    asn_pool = property(lambda self: self.get("asn_pool"), doc="Pool that it was made from.")
    program = property(lambda self: self.get("program"), doc="Observing program.")
    target = property(lambda self: self.get("target"), doc="Target.")

    @property
    def products(self) -> tuple[Product, ...]:
        """The products, in order."""
        return tuple(map(Product.from_entry, self.get("products", ())))

    @property
    def filename(self) -> str:
        """Name that goes into ``meta.asn.table_name`` of products."""
        return self.path.name if self.path else SINGLETON

    @property
    def folder(self) -> Path:
        """Folder in which members are looked for."""
        return self.path.parent if self.path else Path()

    def resolve(self, member: Member | str) -> Path:
        """Return the path of a member, or of a file named in one (a catalog).

        A name with a folder that is not found from the association's folder is taken from the working folder,
        if it is there: jwst's level-2 pipelines look there.
        """
        name = Path(member.expname if isinstance(member, Member) else member)
        path = self.folder / name
        return name if len(name.parts) > 1 and not path.exists() and name.exists() else path

    def require_files(self, *exptypes: str) -> None:
        """Check that the files of members with these roles (all, if none is given) are there.

        Raises
        ------
        InputError
            Lists the files that are missing (a `MissingInputError`), or names one that is there twice in a
            role of a product, under whichever names.
        """
        members = [m for p in self.products for m in p.members_of(*exptypes) if m.model is None]
        paths = dict.fromkeys(self.resolve(m) for m in members)
        missing = [str(path) for path in paths if not path.is_file()]
        if missing:
            raise MissingInputError(
                f"{self.filename}: {len(missing)} of {len(paths)} member files are missing: "
                f"{', '.join(missing)}; put them there, or correct expname in the association"
            )
        for product in self.products:
            self._refuse_twice([m for m in product.members_of(*exptypes) if m.model is None])

    def _refuse_twice(self, members: Sequence[Member]) -> None:
        """Refuse members of one role that are one file: links, and other ways to write its path, count."""
        seen: dict[tuple[str, int, int], str] = {}
        for member in members:
            status = self.resolve(member).stat()
            file = status.st_dev, status.st_ino
            key = (member.exptype, *file)
            if member.exptype == "background" and ("science", *file) in seen:
                raise InputError(
                    f"{self.filename}: {member.expname} is its own background; nothing would be left of it"
                )
            if key in seen:
                raise InputError(
                    f"{self.filename}: {member.expname} is there twice as {member.exptype}: "
                    f"it is the same file as {seen[key]}; remove one of them"
                )
            seen[key] = member.expname

    @property
    def asn_name(self) -> str:
        """Suggested file name, without extension."""
        stamp = f"_{self.stamp}" if self.stamp else ""
        return f"jw{self.program}-{self.acid}{stamp}_{self.asn_type}_{self.number:05d}_asn".lower()

    @property
    def validity(self) -> dict[str, dict[str, Any]]:
        """What must hold beside the form: by name, whether it does (``validated``), and a ``check``."""
        tests: dict[str, dict[str, Any]] = {
            "has_science": {
                "validated": any(product.science for product in self.products),
                "check": lambda member: member["exptype"].lower() == "science",
            }
        }
        rule = str(self.asn_rule).removeprefix("candidate_").removeprefix("discover_")
        if rule.startswith(("DMSLevel2b", "Asn_Lv2")):
            backgrounds = any(product.members_of("background") for product in self.products)
            allowed = self.acid.startswith("o") or (self.acid.startswith("c") and backgrounds)
            tests["allowed_candidates"] = {"validated": allowed, "check": lambda _: allowed}
        return tests

    @property
    def is_valid(self) -> bool:
        """Whether it would be accepted when it is read, and has a science member."""
        try:
            self._check(self.filename)
        except InputError:
            return False
        return True

    def _check(self, where: str) -> None:
        if is_bare(self):
            return
        validate(self.data, where)
        if not self.validity["has_science"]["validated"]:
            raise InputError(f"{where}: no member is science; at least one exptype must be 'science'")

    def dump(self, fmt: str | None = None, *, format: str = "json") -> tuple[str, str]:
        """Return a suggested file name, and the association as text (``json`` or ``yaml``).

        Parameters
        ----------
        fmt, format : str
            Two names of one parameter, as in jwst.

        Raises
        ------
        InputError
            If the association would not be accepted when read, or has no science member.
        """
        kind = fmt or format
        return f"{self.asn_name}.{kind}", self._text(kind, self.filename)

    def _text(self, format: str, where: str) -> str:
        self._check(where)
        tree = plain(self.data)
        if format == "json":
            return json.dumps(tree, indent=4, separators=(",", ": "))
        if format == "yaml":
            import yaml

            warnings.warn(
                "Support for associations as YAML files is deprecated; use json",
                DeprecationWarning,
                stacklevel=3,
            )

            return str(yaml.dump(tree, default_flow_style=False))
        raise ParameterError(f"format {format!r} is not known; use json or yaml")

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """Write the association; the format is that of the name if not given. Members stay as they are.

        Raises
        ------
        OutputError
            If the file cannot be written; nothing partial is left.
        """
        path = Path(path)
        text = self._text(format or ("yaml" if path.suffix in YAML_SUFFIXES else "json"), str(path))
        if not path.name or path.is_dir():
            raise OutputError(f"{path}: is a folder; give the name of a file")
        temporary = path.with_name(f".{path.name}.{mark()}{ENDING}")
        try:
            temporary.write_text(text)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OutputError(
                f"{path}: cannot be written ({error.strerror}); choose another folder"
            ) from error
        return path


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an association's tree in which models are replaced with their file names."""
    return copied(data, lambda source: source if isinstance(source, str) else name_of(source))


def copied(data: Mapping[str, Any], source: Any = lambda source: source) -> dict[str, Any]:
    """Return a copy of an association's tree, without copying models; `source` maps every expname."""
    products = [
        {**product, "members": [{**m, "expname": source(m["expname"])} for m in product["members"]]}
        for product in data.get("products", ())
    ]
    return {**data, "products": products} if "products" in data else dict(data)
