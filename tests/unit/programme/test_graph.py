"""What jobs are made of exposures and associations, and in which order."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from programme_cases import ROOT, described, settings

from webbcal.core.errors import InputError
from webbcal.programme.folder import Folder
from webbcal.programme.job import Job
from webbcal.programme.planning import plan_jobs

FIRST, SECOND = ROOT.format(number=1), ROOT.format(number=2)
FIELD = "jw01234-o001_t001_nircam_clear-f200w"


def jobs(*inputs: Path) -> list[Job]:
    return plan_jobs(settings(inputs, Path("out")))


def names(found: Sequence[Job]) -> list[str]:
    return [job.name for job in found]


def association(path: Path, kind: str, name: str | None, members: dict[str, str]) -> Path:
    listed = [{"expname": file, "exptype": role} for file, role in members.items()]
    tree = {"asn_type": kind, "asn_rule": "none", "asn_pool": "none", "asn_id": "a3001"}
    path.write_text(json.dumps(tree | {"products": [{"name": name, "members": listed}]}))
    return path


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for root in (FIRST, SECOND):
        described(tmp_path / "raw", root)
    return tmp_path / "raw"


def test_exposures_alone_go_through_three_stages(raw: Path) -> None:
    found = {job.name: job for job in jobs(raw)}
    assert set(found) == {f"{r}.{p}" for r in (FIRST, SECOND) for p in ("detector1", "image2")} | {
        f"{FIELD}.image3"
    }
    assert found[f"{FIRST}.image2"].makers == [f"{FIRST}.detector1"]
    assert set(found[f"{FIELD}.image3"].makers) == {f"{FIRST}.image2", f"{SECOND}.image2"}
    assert {job.mode for job in found.values()} == {"NRC_IMAGE"}


def test_a_job_comes_after_those_that_make_its_inputs(raw: Path) -> None:
    seen: set[str] = set()
    for job in jobs(raw):
        assert set(job.makers) <= seen
        seen.add(job.name)


def test_of_one_exposure_the_rawest_file_is_taken(raw: Path) -> None:
    described(raw, FIRST, "rate")
    described(raw, SECOND, "cal")
    assert len(names(jobs(raw))) == 5


def test_slitless_spectra_wait_for_the_catalogue_of_their_direct_image(tmp_path: Path) -> None:
    visit, grism = "jw01234002001_{}_00001_nrcalong", {"EXP_TYPE": "NRC_WFSS", "PUPIL": "GRISMR"}
    described(tmp_path / "raw", visit.format("02101"), FILTER="F444W", **grism)
    described(tmp_path / "raw", visit.format("02102"), FILTER="F444W")
    found = {job.pipeline: job for job in jobs(tmp_path / "raw")}
    made = {given.path.name.rpartition("_")[2]: given.maker for given in found["calwebb_spec2"].inputs}
    mosaic = found["calwebb_image3"].name
    spectra = f"{visit.format('02101')}.detector1"
    assert made == {"rate.fits": spectra, "i2d.fits": mosaic, "cat.ecsv": mosaic, "segm.fits": mosaic}


def test_an_exposure_in_two_folders_is_refused(raw: Path, tmp_path: Path) -> None:
    exposure = next(raw.glob("*_uncal.fits"))
    jobs(raw, exposure)  # named twice, it is there once
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / exposure.name).symlink_to(exposure)
    jobs(raw, tmp_path / "links")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / exposure.name).write_bytes(exposure.read_bytes())
    with pytest.raises(InputError, match=f"there twice: {exposure} and .*/other/{exposure.name}"):
        jobs(raw, tmp_path / "other")


def test_calibrated_exposures_are_not_calibrated_again(tmp_path: Path) -> None:
    described(tmp_path / "given", FIRST, "rate")
    cal = described(tmp_path / "given", SECOND, "cal")
    found = jobs(tmp_path / "given")
    assert names(found) == [f"{FIRST}.image2", f"{FIELD}.image3"]
    assert (cal, "") in [(given.path, given.maker) for given in found[-1].inputs]


def test_an_association_says_what_is_combined_and_rules_calibrate_its_members(raw: Path) -> None:
    wanted = association(raw / "mine_asn.json", "image3", "mine", {f"{FIRST}_cal.fits": "science"})
    assert names(jobs(raw, wanted)) == [
        f"{FIRST}.detector1", f"{SECOND}.detector1", f"{SECOND}.image2", f"{FIRST}.image2", "mine.image3",
    ]  # fmt: skip


def test_members_beside_an_association_need_not_be_named(raw: Path) -> None:
    wanted = association(raw / "mine_asn.json", "image3", "mine", {f"{FIRST}_cal.fits": "science"})
    assert names(jobs(wanted)) == [f"{FIRST}.detector1", f"{FIRST}.image2", "mine.image3"]


def test_a_level_2_association_takes_the_place_of_the_rules(raw: Path) -> None:
    members = {f"{FIRST}_rate.fits": "science", f"{SECOND}_rate.fits": "background"}
    wanted = association(raw / "one_asn.json", "image2", FIRST, members)
    found = {job.name: job for job in jobs(raw, wanted)}
    assert set(found[f"{FIRST}.image2"].makers) == {f"{FIRST}.detector1", f"{SECOND}.detector1"}
    assert f"{SECOND}.image2" in found and not any(name.endswith("image3") for name in found)


def test_each_product_of_an_association_is_a_job(raw: Path) -> None:
    tree = {"asn_type": "image2", "asn_rule": "none", "asn_pool": "none", "asn_id": "a3001", "products": []}
    for root in (FIRST, SECOND):
        member = {"expname": f"{root}_rate.fits", "exptype": "science"}
        tree["products"].append({"name": root, "members": [member]})  # type: ignore[attr-defined]
    (raw / "both_asn.json").write_text(json.dumps(tree))
    assert sum(name.endswith(".image2") for name in names(jobs(raw))) == 2


def test_a_member_that_nothing_makes_is_missing(raw: Path) -> None:
    members = {f"{FIRST}_cal.fits": "science", "jw01234001001_02101_00009_nrcb1_cal.fits": "science"}
    found = jobs(raw, association(raw / "mine_asn.json", "image3", "mine", members))[-1]
    assert ["00009_nrcb1_cal.fits is neither there" in given.missing for given in found.inputs] == [
        False,
        True,
    ]


def test_what_webbcal_cannot_make_yet_has_a_problem(raw: Path) -> None:
    wanted = association(raw / "mine_asn.json", "coron3", "mine", {f"{FIRST}_cal.fits": "science"})
    assert "no pipeline yet for a coron3" in jobs(raw, wanted)[-1].problem


def test_darks_and_guide_stars_have_pipelines_of_their_own(tmp_path: Path) -> None:
    described(tmp_path / "raw", FIRST, EXP_TYPE="NRC_DARK")
    described(tmp_path / "raw", SECOND, EXP_TYPE="FGS_ID-IMAGE", INSTRUME="FGS")
    assert {job.pipeline for job in jobs(tmp_path / "raw")} >= {"calwebb_dark", "calwebb_guider"}


def test_an_unreadable_exposure_has_a_problem_and_the_others_none(raw: Path) -> None:
    (raw / f"{ROOT.format(number=3)}_uncal.fits").write_text("no FITS file")
    problems = {job.name: job.problem for job in jobs(raw) if job.problem}
    assert list(problems) == [f"{ROOT.format(number=3)}.detector1"]
    assert "cannot be read" in problems[f"{ROOT.format(number=3)}.detector1"]


def test_without_a_member_the_association_has_the_others(raw: Path) -> None:
    job = jobs(raw)[-1]
    less = job.without(job.inputs[:1])
    assert less.inputs == job.inputs[1:]
    assert less.association is not None and len(less.association["products"][0]["members"]) == 1


def test_a_job_goes_to_another_process_and_back(raw: Path) -> None:
    for job in jobs(raw):
        assert Job.of_tree(json.loads(json.dumps(job.as_tree()))) == job


def test_what_a_programme_has_written_beside_exposures_is_no_input(raw: Path) -> None:
    before = jobs(raw)
    folder = Folder(raw)
    folder.prepare()
    folder.write_graph(before)
    association(raw / before[-1].association_name, "image3", FIELD, {f"{FIRST}_cal.fits": "science"})
    assert jobs(raw) == before


def test_nothing_is_written_over_an_association_that_was_given(raw: Path) -> None:
    Path("out").mkdir()
    path = association(Path("out/mine_image3_asn.json"), "image3", "mine", {f"{FIRST}_cal.fits": "science"})
    with pytest.raises(InputError, match="was given, and would be written over"):
        jobs(raw, path)


def test_a_product_cannot_have_the_name_of_an_exposure(raw: Path) -> None:
    path = association(raw / "mine_asn.json", "image3", FIRST, {f"{FIRST}_cal.fits": "science"})
    with pytest.raises(InputError, match=f"the name {FIRST} would be that of two products"):
        jobs(raw, path)


@pytest.mark.parametrize("name", ["sub/mine", "../mine", "/mine"])
def test_a_product_has_no_folder(raw: Path, name: str) -> None:
    path = association(raw / "mine_asn.json", "image3", name, {f"{FIRST}_cal.fits": "science"})
    with pytest.raises(InputError, match=f"mine_asn.json: product {name}: .* without folder"):
        jobs(raw, path)


def test_raw_exposures_are_made_by_no_job(raw: Path) -> None:
    path = association(raw / "mine_asn.json", "image3", "mine", {f"{FIRST}_uncal.fits": "science"})
    (given,) = jobs(raw, path)[-1].inputs
    assert (given.path, given.maker) == (raw / f"{FIRST}_uncal.fits", "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "no such file"),
        ("empty", "has neither exposures"),
        ("notes.fits", "how far it is calibrated"),
    ],
)
def test_what_is_no_input_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.fits").write_text("")
    with pytest.raises(InputError, match=said):
        jobs(tmp_path / name)
