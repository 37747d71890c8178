"""`mkpool`: a pool of exposures, as scripts written for jwst make it."""

from __future__ import annotations

import os
from ast import literal_eval
from collections.abc import Iterable, Sequence

from webbcal.associations.generator.exposures import UNKNOWN, pool_of_exposures
from webbcal.associations.generator.pool import Pool
from webbcal.core.errors import ParameterError


def mkpool(
    data: Iterable[str | os.PathLike[str]],
    asn_candidate: str | Sequence[tuple[str, str]] | None = None,
    dms_note: str = UNKNOWN["dms_note"],
    is_imprt: str | None = None,
    pntgtype: str = UNKNOWN["pntgtype"],
) -> Pool:
    """Make a pool from the headers of exposures; see `pool_of_exposures`.

    Parameters
    ----------
    data : iterable of path
        FITS files of exposures.
    asn_candidate : list of (id, type) or its text, optional
        Candidates beside the observation of each.
    dms_note, pntgtype : str
        What operations noted; what the telescope was pointed for.
    is_imprt : str, optional
        ``t`` if they are imprints; as their headers say by default.

    Raises
    ------
    InputError
        If a file cannot be read.
    ParameterError
        If candidates are no list of pairs.
    """
    given = {
        "dms_note": dms_note,
        "pntgtype": pntgtype,
        **({} if is_imprt is None else {"is_imprt": is_imprt}),
    }
    return pool_of_exposures(data, candidates=_pairs(asn_candidate), given=given)


def _pairs(candidates: str | Sequence[tuple[str, str]] | None) -> list[tuple[str, str]]:
    try:
        listed = literal_eval(candidates) if isinstance(candidates, str) else candidates or []
        return [(str(name), str(kind)) for name, kind in listed]
    except (ValueError, SyntaxError, TypeError):
        raise ParameterError(
            f"{candidates!r} are no candidates; give a list of pairs, as \"[('c1000', 'background')]\""
        ) from None
