"""What the machinery of runs needs to know of a step: it names no class of steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class StepLike(Protocol):
    """A step, seen from the machinery (`webbcal.run.step.Step` is one)."""

    name: str

    @property
    def class_alias(self) -> str | None:
        """Its name in pipelines."""

    @property
    def reference_file_types(self) -> Sequence[str]:
        """References that it needs."""

    @property
    def parameters(self) -> Any:
        """Its parameters as one frozen object."""

    @property
    def library_bytes(self) -> int:
        """Memory that its libraries take."""

    @property
    def is_left_out(self) -> bool:
        """Whether it is to be skipped in its pipeline."""

    @property
    def asked_cores(self) -> str | None:
        """What the user has set as ``maximum_cores``; None where nobody has."""

    def get_pars(self, full_spec: bool = True) -> dict[str, Any]:
        """Return names and values of its parameters."""

    def is_unset_beyond(self, name: str) -> bool:
        """Tell whether a parameter is one that jwst 3.0.0 does not have, and has its default."""

    def origin(self, name: str) -> str:
        """Return where the value of a parameter came from."""

    def set_parameter(self, name: str, value: Any, origin: str) -> None:
        """Set one parameter."""

    def get_ref_override(self, reference_type: str) -> Any:
        """Return the user's replacement for a reference, or None."""

    def scratch_bytes(self, sizes: Any, p: Any) -> int:
        """Return the memory that its work takes beside its input."""
