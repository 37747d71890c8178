"""What scripts ask `stpipe.crds_client` for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webbcal.references.bestrefs import best_references, context


def get_context_used(observatory: str = "jwst") -> str:
    """Return the name of the CRDS context that selects references."""
    return context()


def get_reference_file(parameters: Mapping[str, Any], reference_file_type: str, observatory: str) -> str:
    """Return the path of the best reference, or "N/A".

    Parameters
    ----------
    parameters : mapping
        Metadata by dotted name, as `get_crds_parameters` of a model gives them.
    reference_file_type : str
    observatory : str
        "jwst".
    """
    return best_references(parameters, [reference_file_type])[reference_file_type]


def get_multiple_reference_paths(
    parameters: Mapping[str, Any], reference_file_types: Sequence[str], observatory: str
) -> dict[str, str]:
    """Return the paths of the best references by type; see `get_reference_file`."""
    return dict(best_references(parameters, reference_file_types))
