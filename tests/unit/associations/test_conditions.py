"""Conditions of rules: what each form means, and that what is out of question is never fulfilled."""

import itertools

import pytest

from webbcal.associations.generator.columns import DISCOVERED, row_of
from webbcal.associations.generator.conditions import Notes
from webbcal.associations.generator.draft import Draft
from webbcal.associations.generator.rule_tables import condition, recipes


def row(**columns):
    return row_of(0, {"filename": "a_uncal.fits", "program": "1", "exp_type": "mir_image", **columns}).of(
        DISCOVERED
    )


DRAFT = Draft(recipes()["Asn_Lv2Image"], DISCOVERED)


def answers(entry, *rows, named=None):
    """Return whether rows fulfil a condition one after the other, as members of one association."""
    notes, results = Notes(), []
    asked = condition(entry, named or {})
    for one in rows:
        trial = notes.copy()
        results.append(asked.check(one, DRAFT, trial))
        notes = trial if results[-1] else notes
    return results


A, B, NONE = row(filter="a"), row(filter="b"), row(filter="null")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("filter", [True, False, False, True]),
        ("filter*", [True, True, False, True]),
        ("filter?", [True, False, True, True]),
        ("filter = b", [False, True, False, False]),
        ("filter = A|b", [True, False, False, True]),
        ("filter* = a|b", [True, True, False, True]),
        ("filter* = (?!b$).*", [True, False, False, True]),
        ("!filter", [False, False, True, False]),
        ("band|filter", [True, False, False, True]),
        ({"none": ["filter"]}, [False, False, True, False]),
        ({"not_all": ["filter* = a", "band*"]}, [True, True, True, True]),
        ({"any": ["filter* = b", "!filter"]}, [False, True, True, False]),
        ({"all": ["filter*", "filter* = b"]}, [False, True, False, False]),
        ("@mine", [True, False, False, True]),
        (
            {"columns": ["filter", "exp_type"], "among": "a mir_image\nb nis_image"},
            [True, False, False, True],
        ),
    ],
)
def test_forms(entry, expected):
    assert answers(entry, A, B, NONE, A, named={"mine": ["filter = a"]}) == expected


def test_labels_collect_values_for_names():
    notes = Notes()
    asked = condition("opt_elem: filter*", {})
    assert all(asked.check(one, DRAFT, notes) for one in (A, B, A))
    assert notes.found == {"opt_elem": ("a", "b")}


def test_who_is_refused_in_the_end_asks_for_nothing():
    asked = condition({"any": [{"all": [{"again": "filter*"}, "band"]}, "filter*"]}, {})
    notes = Notes()
    assert asked.check(A, DRAFT, notes) and not notes.again
    assert condition({"late": "filter*"}, {}).check(A, DRAFT, notes) and notes.again == {"late"}


VALUES = {
    "exp_type": ("mir_image", "mir_tacq", "nrs_ifu", "nrs_fixedslit", "nis_soss", "nrc_coron", "nrc_tsgrism"),
    "detector": ("nrs1", "nrcblong", "nrca2"),
    "bkgdtarg": ("t", "f"),
    "tsovisit": ("t", "null"),
    "is_imprt": ("t", "f"),
    "grating": ("g395h", "mirror"),
}


def test_what_is_out_of_question_is_never_fulfilled():
    """`possible` may say yes too often, never no to a row that an empty association takes."""
    fixed = {"filter": "f290lp", "fxd_slit": "s200a1", "instrume": "x", "subarray": "full", "targetid": "1"}
    rows = [
        row(**fixed, mostilno="1", patttype="none", pupil="maskrnd", **dict(zip(VALUES, values, strict=True)))
        for values in itertools.product(*VALUES.values())
    ]
    taken = 0
    for recipe in recipes().values():
        for one in rows:
            known = {"$has_science": "f", "$role": recipe.role(one, False)}
            if Draft(recipe, DISCOVERED).offer(one).belongs:
                taken += 1
                assert recipe.where.possible(one, known), (recipe.rule, one.raw)
    assert taken > 100
