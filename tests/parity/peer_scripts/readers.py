"""What readers of spectra make of files: of each, what was read, or why it could not be.

Usage: readers.py FILES.json RESULT.json [jdaviz]

specutils' readers are asked for one spectrum and for a list; with ``jdaviz``, Specviz and Specviz2d are, too.
Mosviz is not: that of jdaviz 5.0.2 does not start without a notebook.
"""

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import numpy as np  # noqa: E402
import specutils  # noqa: E402

Spectrum = getattr(specutils, "Spectrum", None) or specutils.Spectrum1D


def described(spectrum):
    """Return shapes, units and sums of a spectrum."""
    axis = spectrum.spectral_axis
    made = {
        "flux": [list(spectrum.flux.shape), str(spectrum.flux.unit), float(np.nansum(spectrum.flux.value))],
        "axis": [list(axis.shape), str(axis.unit), float(np.nansum(axis.value))],
    }
    if spectrum.uncertainty is not None:
        made["uncertainty"] = [
            type(spectrum.uncertainty).__name__, float(np.nansum(spectrum.uncertainty.array))
        ]  # fmt: skip
    return made


def tried(read, *given):
    """Return what a reader makes of something, or the kind of its error."""
    try:
        found = read(*given)
    except Exception as error:
        return f"{type(error).__name__}"
    found = found if isinstance(found, list) else [found]
    return [described(spectrum) for spectrum in found]


def viewer(name, kind):
    """Return a function that loads a file into a viewer of jdaviz, and returns what that then holds."""

    def load(path):
        app = getattr(jdaviz, name)()
        app.load(path, format=kind)
        return [app.get_data(label) for label in sorted(d.label for d in app._app.data_collection)]

    return load


readers = {"one": Spectrum.read, "list": specutils.SpectrumList.read}
if "jdaviz" in sys.argv:
    import jdaviz

    readers |= {
        "Specviz": viewer("Specviz", "1D Spectrum"),
        "Specviz2d": viewer("Specviz2d", "2D Spectrum"),
    }
result = {}
for file in json.loads(Path(sys.argv[1]).read_text()):
    result[file] = {name: tried(read, file) for name, read in readers.items()}
Path(sys.argv[2]).write_text(json.dumps(result))
