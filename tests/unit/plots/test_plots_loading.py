"""Loading plots: light until one is asked for, settings left alone, a sentence without matplotlib."""

import subprocess
import sys

import pytest

import webbcal
from webbcal import plots


def test_all_plots_can_be_loaded():
    assert webbcal.plots is plots
    assert {"png", "show_image", "plot_ramp", "plot_residuals"} <= set(plots.__all__) == set(dir(plots))
    assert all(callable(getattr(plots, name)) for name in plots.__all__)
    with pytest.raises(AttributeError, match="no attribute 'plot_pixels'"):
        _ = plots.plot_pixels
    with pytest.raises(AttributeError, match="no attribute 'plotz'"):
        _ = webbcal.plotz


def run(code):
    """Return what a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_nothing_heavy_is_loaded_before_a_plot_is_asked_for():
    out = run("import sys, webbcal; dir(webbcal.plots); print({'numpy', 'matplotlib'} & set(sys.modules))")
    assert out.strip() == "set()"


def test_a_missing_library_is_told():
    code = """
import sys
sys.modules['matplotlib'] = None
from webbcal import plots
try:
    plots.show_image
except Exception as error:
    print(type(error).__name__, error)
"""
    assert run(code).startswith("WebbcalError plots need matplotlib")


@pytest.mark.parametrize("backend", ["tkagg", "agg", ""])
def test_figures_are_made_without_a_display(backend):
    code = f"""
import os
os.environ.pop("DISPLAY", None)
os.environ.pop("MPLBACKEND", None)
if {backend!r}:
    os.environ["MPLBACKEND"] = {backend!r}
import matplotlib as mpl
import numpy as np
from webbcal import plots
before = dict.items(mpl.rcParams)
before = {{k: v for k, v in before if k != "backend"}}
axes = plots.show_image(np.random.default_rng(1).normal(size=(20, 20)))
assert len(plots.png(axes)) > 1000
assert {{k: v for k, v in dict.items(mpl.rcParams) if k != "backend"}} == before
print(dict.__getitem__(mpl.rcParams, "backend"))
"""
    assert run(code).strip().lower() == "agg"
