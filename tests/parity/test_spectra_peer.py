"""Spectral pipelines as a whole against jwst 3.0.0: every product of every step, keyword by keyword."""

import re

import pytest
from peer_process import needs_peer
from products import compare
from spectra_runs import CASES, COMBINED, run_case

pytestmark = needs_peer

#: Differences that docs/parity.md names and explains: pattern of the file, pattern of the difference.
KNOWN = [
    (r"", r"PRIMARY: ASN(POOL|TABLE) is .* instead of '\(none\)'"),
    (r"", r"SCI: ([AB]P?_\d_\d|SIP\w+) is .*"),  # assign_wcs has tests of its own
    (r"_(x1d|c1d)", r"\w+: FILENAME is .*"),
    (r"_s2d", r"SCI: S_REGION is .*"),
]


def is_known(name, problem):
    """Tell whether docs/parity.md names this difference."""
    return any(re.search(file, name) and re.fullmatch(what, problem, re.DOTALL) for file, what in KNOWN)


@pytest.mark.parametrize("name", CASES)
def test_the_same_products(name, tmp_path):
    """All files of all steps, and of stage 3 where there is one; also as each goes on from the other's."""
    made = run_case(name, tmp_path)
    folders = made.ours, made.theirs, made.after, made.before
    ours, theirs, after, before = ({p.name for p in folder.glob("*.fits")} for folder in folders)
    assert ours == theirs and after == before and any("x1d" in product for product in ours)
    problems = differences(made.ours, made.theirs, ours) + differences(made.after, made.theirs, after)
    problems += differences(made.ours, made.before, before)
    assert not problems, "\n".join(problems[:60])
    if name in COMBINED:
        assert any(product.startswith(made.product) for product in ours & after)


def differences(ours, theirs, products):
    """Return what differs between products of two folders, but for what is explained."""
    return [
        f"{product}: {problem}"
        for product in sorted(products)
        for problem in compare(ours / product, theirs / product).problems
        if not is_known(product, problem)
    ]
