"""Pipelines; each class is imported when it is first asked for.

They are also found where scripts for jwst look: ``webbcal.pipeline.calwebb_image2.Image2Pipeline``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Class -> module in this package.
_MODULES = {
    "DarkPipeline": "dark",
    "Detector1Pipeline": "detector1",
    "Image2Pipeline": "image2",
    "Image3Pipeline": "image3",
    "GuiderPipeline": "guider",
    "Spec2Pipeline": "spec2",
    "Spec3Pipeline": "spec3",
}

__all__ = [
    "DarkPipeline",
    "Detector1Pipeline",
    "GuiderPipeline",
    "Image2Pipeline",
    "Image3Pipeline",
    "Spec2Pipeline",
    "Spec3Pipeline",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    if name.removeprefix("calwebb_") in _MODULES.values() and name.startswith("calwebb_"):
        return import_module(f"{__name__}.{name.removeprefix('calwebb_')}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
