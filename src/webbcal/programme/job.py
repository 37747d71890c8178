"""A job: one pipeline on one exposure or association, and what it is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

#: Role of the exposures that a product is made of.
SCIENCE = "science"


@dataclass(frozen=True, slots=True)
class Input:
    """A file that a job reads.

    Attributes
    ----------
    path : Path
        Where it is, or will be.
    role : str
        Its role in the association: ``science``, ``background``, …
    maker : str
        Name of the job that makes it; "" for a file that was given.
    missing : str
        Why it will not be there; "" if it is, or is going to be made.
    """

    path: Path
    role: str = SCIENCE
    maker: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Job:
    """One run of a pipeline.

    Attributes
    ----------
    name : str
        The root of its products and its pipeline; names of its log and record are made of it.
    pipeline : str
        Alias, such as ``calwebb_image2``.
    level : int
        1, 2 or 3.
    inputs : tuple of Input
        Those that are members of an association are in its order.
    association : mapping or None
        The tree of the association that is its input, with one product; None: the input is the exposure.
    association_name : str
        Name of the association's file.
    mode : str
        EXP_TYPE of the science exposures.
    parameters : mapping
        What the user has set, as `Pipeline` takes it.
    problem : str
        Why it cannot be done, whatever else happens; "" if nothing is known to be wrong.
    """

    name: str
    pipeline: str
    level: int
    inputs: tuple[Input, ...]
    association: Mapping[str, Any] | None = None
    association_name: str = ""
    mode: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def makers(self) -> list[str]:
        """The jobs that must be done before."""
        return list(dict.fromkeys(given.maker for given in self.inputs if given.maker))

    @property
    def science(self) -> list[Input]:
        """The science exposures."""
        return [given for given in self.inputs if given.role == SCIENCE]

    def without(self, gone: Collection[Input]) -> Self:
        """Return this job without some of the members of its association."""
        if self.association is None or not gone:
            return self
        (product,) = self.association["products"]
        pairs = zip(product["members"], self.inputs, strict=True)
        kept = [(member, given) for member, given in pairs if given not in gone]
        members, inputs = [member for member, _ in kept], tuple(given for _, given in kept)
        tree = {**self.association, "products": [{**product, "members": members}]}
        return replace(self, inputs=inputs, association=tree)

    def as_tree(self) -> dict[str, Any]:
        """Return it as plain values, to be sent to another process."""
        tree = {name: getattr(self, name) for name in self.__dataclass_fields__}
        tree["inputs"] = [[str(i.path), i.role, i.maker, i.missing] for i in self.inputs]
        return tree

    @classmethod
    def of_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Return the job that `as_tree` was made of."""
        inputs = tuple(Input(Path(path), *rest) for path, *rest in tree["inputs"])
        return cls(**{**tree, "inputs": inputs})
