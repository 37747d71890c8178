"""Maps of flags: which are drawn, and how many pixels they say."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from plot_cases import image, ramp

from webbcal import datamodels, plots
from webbcal.core.errors import InputError, ParameterError


def titles(drawn):
    """Return the first line of the titles, and the counts."""
    words = [axes.get_title("left").split("\n") for axes in drawn.ravel() if axes.axison]
    return {name: int(count.split()[0].replace(",", "")) for name, count in words}


def test_each_flag_that_is_set_has_a_map_with_its_count():
    model = image()
    model.dq[0, :7] |= 4
    assert titles(plots.show_dq(model)) == {"DO_NOT_USE": 1, "JUMP_DET": 7, "DEAD": 1}
    assert titles(plots.show_dq(model, ["hot", "DEAD"])) == {"HOT": 0, "DEAD": 1}


def test_flags_of_groups_count_once_a_pixel():
    model = ramp()
    assert titles(plots.show_dq(model)) == {"DO_NOT_USE": 1, "DEAD": 1}
    assert titles(plots.show_dq(model, array="groupdq")) == {"SATURATED": 1, "JUMP_DET": 1}
    assert titles(plots.show_dq(model, array="groupdq", integration=0)) == {"no flag is set": 0}


def test_a_single_pixel_of_a_large_image_is_seen():
    model = datamodels.ImageModel(np.zeros((1300, 1300), np.float32))
    model.dq = np.zeros(model.shape, np.uint32)
    model.dq[700, 901] = 1
    (axes,) = plots.show_dq(model).ravel()
    (drawn,) = axes.get_images()
    dots = np.argwhere(drawn.get_array())
    left, right, *_ = drawn.get_extent()
    step = (right - left) / drawn.get_array().shape[1]
    np.testing.assert_array_equal(dots, [[700 // step, 901 // step]])
    assert titles(np.array([axes])) == {"DO_NOT_USE": 1}


def test_what_has_no_flags_is_told():
    with pytest.raises(ParameterError, match="unknown DQ flag 'COLD'; known: DO_NOT_USE"):
        plots.show_dq(image(), "COLD")
    with pytest.raises(InputError, match="holds no flags"):
        plots.show_dq(image(), array="data")
    slits = datamodels.MultiSlitModel()
    slits.slits.append(datamodels.SlitModel(np.zeros((3, 4), np.float32)))
    with pytest.raises(InputError, match=r"has 1 slits, each with flags; give one of them"):
        plots.show_dq(slits)
    with pytest.raises(InputError, match="no integration 3: it has 2"):
        plots.show_dq(ramp(), array="groupdq", integration=3)
    with pytest.raises(ParameterError, match="2 axes are needed"):
        plots.show_dq(image(), axes=[Figure().add_subplot()])
