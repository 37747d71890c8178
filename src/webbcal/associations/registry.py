"""`AssociationRegistry`: the rules by name, as scripts written for jwst look them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webbcal.associations.association import Association
from webbcal.associations.reading import load_asn
from webbcal.associations.rules import RULES, Rule
from webbcal.associations.validation import validate
from webbcal.core.errors import ParameterError


class AssociationRegistry(dict[str, Rule]):
    """The rules that associations are built after, by name.

    Parameters
    ----------
    definition_files : sequence of path, optional
        Rules of a user's own as modules of Python: refused, for no input executes code here.
    include_default : bool
        Whether it has the rules of the field.
    name : str, optional
        Goes before the names of all rules.
    include_bases : bool
        Whether it has those that others are made of, too (``DMS_Level3_Base``, ``DMSLevel2bBase``).

    Raises
    ------
    ParameterError
        If there would be no rules, or files of them are given.
    """

    def __init__(
        self,
        definition_files: Sequence[Any] | None = None,
        include_default: bool = True,
        global_constraints: Any = None,
        name: str | None = None,
        include_bases: bool = False,
    ) -> None:
        if definition_files or global_constraints is not None:
            raise ParameterError(
                "files of rules and constraints are not read: an association is made of a list, by a rule of "
                "the field (webbcal.associations.RULES)"
            )
        if not include_default:
            raise ParameterError("a registry without the rules of the field has none: include_default=True")
        self.name = name
        chosen = {key: rule for key, rule in RULES.items() if include_bases or key.startswith("Asn_")}
        super().__init__({f"{name}_{key}" if name else key: rule for key, rule in chosen.items()})

    @property
    def rule_set(self) -> set[Rule]:
        """All rules."""
        return set(self.values())

    def load(self, serialized: Any, fmt: str | None = None, **_: Any) -> Association:
        """Return the association that a text or an open file holds; see `load_asn`."""
        return load_asn(serialized, fmt)

    def validate(self, association: Mapping[str, Any]) -> list[Rule]:
        """Return the rules that an association may be of: its own, or all if it names none.

        Raises
        ------
        InputError
            If it is no association.
        """
        validate(association, "the association")
        name = str(association.get("asn_rule")).removeprefix("candidate_").removeprefix("discover_")
        own = RULES.get(name)
        return list(self.values()) if own is None else [own]
