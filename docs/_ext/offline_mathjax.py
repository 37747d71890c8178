"""Formulas that show without a network: MathJax goes into the site, one file of it.

The package `sphinx-mathjax-offline` brings all of MathJax 3; what draws formulas as SVG needs no fonts.
"""

from __future__ import annotations

import shutil
from importlib.metadata import files
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_NAME = "tex-svg.js"


def _copy(app: Sphinx) -> None:
    if app.builder.format == "html":
        (found,) = (file for file in files("sphinx-mathjax-offline") or () if file.name == _NAME)
        target = Path(app.outdir, "_static", _NAME)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(found.locate()), target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.mathjax")
    app.connect("builder-inited", _copy)
    app.connect("config-inited", lambda app, config: setattr(config, "mathjax_path", _NAME))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
