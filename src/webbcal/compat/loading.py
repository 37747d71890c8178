"""What scripts take for associations, as `jwst.associations.load_as_asn` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from webbcal.associations import Association, DMSLevel2bBase, asn_from_list, load_association

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
        """Return a level-2 association; products of models are numbered after `basename`, if given."""

        def name(model: Any, number: int) -> str:
            root = Path(basename or model.meta.filename).stem
            return f"{root}_{number}" if basename and number > 1 else root

        items = obj if isinstance(obj, list) else [obj]
        named = {} if all(isinstance(item, (str, Path)) for item in items) else {"product_name_func": name}
        return LoadAsAssociation.load(obj, rule=DMSLevel2bBase, **named)
