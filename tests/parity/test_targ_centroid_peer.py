"""targ_centroid beside jwst 3.0.0: the source of LRS in an image of its acquisition."""

import numpy as np
import pytest
from detector1_runs import finish_peer, start_peer
from peer_process import needs_peer
from spectral_cases import lrs_slit

from webbcal import datamodels
from webbcal.run.registry import step_class

pytestmark = needs_peer

PLACE = 321.4, 303.7  # of the target in the image, 0-based
OFFSETS = {"F560W": (0.31, -0.17), "P750L": (0.0, 0.0)}
NAMES = ("source_xpos", "source_ypos", "ta_xpos", "ta_ypos")


def filter_offsets(path):
    """Write the reference of the filters' offsets."""
    model = datamodels.FilteroffsetModel()
    model.filters = [{"filter": f, "column_offset": x, "row_offset": y} for f, (x, y) in OFFSETS.items()]
    told = {"author": "test", "pedigree": "DUMMY", "reftype": "filteroffset"}
    for name, value in (told | {"description": "test", "useafter": "2020-01-01T00:00:00"}).items():
        setattr(model.meta, name, value)
    model.meta.instrument.name, model.meta.instrument.detector = "MIRI", "MIRIMAGE"
    model.save(path)
    return str(path)


def confirmation(rate, path, empty=False):
    """Write an image in which the target is, with the pointing of a spectrum."""
    with datamodels.open(rate) as model:
        y, x = np.indices(model.shape)
        spot = 50 * np.exp(-0.5 * (((x - PLACE[0]) / 1.4) ** 2 + ((y - PLACE[1]) / 1.2) ** 2))
        model.data = (spot + np.random.default_rng(1).normal(0, 0.3, spot.shape)).astype(np.float32)
        model.data[300:306:4, 318:325:3] = np.nan
        if empty:
            model.data[:] = np.nan
        model.meta.dither.x_offset, model.meta.dither.y_offset = 0.2, -0.1
        model.meta.exposure.type, model.meta.instrument.filter = "MIR_IMAGE", "F560W"
        image = step_class("assign_wcs").call(model)
        image.meta.exposure.type = "MIR_TACONFIRM"
        image.save(path)
    return str(path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The peer's results and ours, by the name of the case."""
    folder = tmp_path_factory.mktemp("centroid")
    case = lrs_slit(folder / "data", background=False)
    offsets = filter_offsets(folder / "filteroffset.asdf")
    with pytest.MonkeyPatch.context() as patch:
        for key, value in case.environment.items():
            patch.setenv(key, value)
        rate = case.rates[0]
        images = {
            "found": confirmation(rate, folder / "ta.fits"),
            "empty": confirmation(rate, folder / "empty.fits", empty=True),
        }
        assigned = step_class("assign_wcs").call(str(rate))
        spectrum = datamodels.SlitModel()
        spectrum.update(assigned)
        for name in ("data", "err", "dq", "wavelength"):
            setattr(spectrum, name, getattr(assigned, name))
        spectrum.meta.wcs = assigned.meta.instance["wcs"]
        spectrum.meta.target.source_type = "POINT"
        spectrum.save(folder / "spectrum.fits")
        words = {"skip": False, "override_filteroffset": offsets}
        jobs = [
            {
                "class": "TargCentroidStep",
                "input": str(folder / "spectrum.fits"),
                "output_dir": str(folder),
                "parameters": {"ta_file": image, "save_results": True, "suffix": name, **words},
            }
            for name, image in images.items()
        ]
        answers = finish_peer(start_peer(jobs, case.environment))
        assert not [a for a in answers if "error" in a], answers
        ours = {
            name: step_class("targ_centroid").call(str(folder / "spectrum.fits"), ta_file=image, **words)
            for name, image in images.items()
        }
    return {name: (ours[name], datamodels.open(folder / f"spectrum_{name}.fits")) for name in images}


def test_same_as_the_peer(runs):
    ours, theirs = runs["found"]
    for name in NAMES:
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-4), name
    assert (ours.ta_xpos, ours.ta_ypos) == pytest.approx(PLACE, abs=0.1)
    assert ours.meta.cal_step.targ_centroid == theirs.meta.cal_step.targ_centroid == "COMPLETE"


def test_an_image_without_the_target(runs):
    for result in runs["empty"]:
        assert result.meta.cal_step.targ_centroid == "SKIPPED"
        assert result.ta_xpos is None or not result.ta_xpos
