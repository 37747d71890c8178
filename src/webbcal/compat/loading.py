"""What scripts take for associations, as `jwst.associations.load_as_asn` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from webbcal.associations import Association, as_level2, asn_from_list, load_association

_NOTHING_KNOWN = dict.fromkeys(("program", "target", "asn_pool"), "singleton")


class LoadAsAssociation(dict[str, Any]):
    """Reads an association, or makes one of an exposure or a list of them."""

    @classmethod
    def load(cls, obj: Any, meta: Any = _NOTHING_KNOWN, rule: Any = Association, **words: Any) -> Association:
        """Return an association: that of a file (JSON, YAML), or one of files or models.

        Parameters
        ----------
        obj : path, data model, or list of these
        meta, rule, **words
            Of an association that is made, as `asn_from_list` takes them.
        """
        if isinstance(obj, (str, Path)) and Path(obj).suffix in (".json", ".yaml", ".yml"):
            return load_association(obj)
        return asn_from_list(obj if isinstance(obj, list) else [obj], rule=rule, meta=dict(meta), **words)


class LoadAsLevel2Asn(dict[str, Any]):
    """Reads a level-2 association, or makes one: a product for each exposure."""

    @classmethod
    def load(cls, obj: Any, basename: str | None = None) -> Association:
        """Return a level-2 association; products are numbered after `basename` where it is given."""
        found = as_level2(obj, exptypes=(), tell=False)
        if basename is not None:
            for number, product in enumerate(found["products"], 1):
                product["name"] = Path(basename).stem + (f"_{number}" if number > 1 else "")
        return found
