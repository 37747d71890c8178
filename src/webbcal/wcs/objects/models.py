"""Transforms of jwst's own tags as models of astropy, so that a WCS with them is a `gwcs.WCS`.

`stdatamodels` brings such models where it is installed. Where it is not, these take their place: they hold
the members of the tree, and are evaluated by the same records as the tree (`webbcal.wcs.kinds`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.modeling import Model

from webbcal.wcs.kinds.kind import Function


class TreeModel(Model):
    """A transform that is evaluated as a tree.

    Parameters
    ----------
    tag : str
        The whole tag.
    members : dict
        What stands in the tree, transforms as models of astropy. They are attributes too.
    """

    standard_broadcasting = False
    _separable = False
    fittable = False
    linear = False

    def __init__(self, tag: str, members: dict[str, Any], **kwargs: Any) -> None:
        self.tag = tag
        self.members = members
        self._function: Function | None = None
        super().__init__(**kwargs)

    def __getattr__(self, name: str) -> Any:
        members = self.__dict__.get("members", {})
        if name in members:
            return members[name]
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_function": None}  # made again when it is needed

    # No type hints: astropy takes those of this method for units.
    def evaluate(self, *inputs):  # type: ignore[no-untyped-def]
        """Return the outputs, arrays of one shape."""
        if self._function is None:
            from webbcal.io.asdf_text import tagged
            from webbcal.wcs.evaluation import forward

            self._function = forward(tagged(self))
        found = self._function(*(np.asarray(v, float) for v in inputs))
        return tuple(np.array(v) for v in np.broadcast_arrays(*found))


class GrismToDirect(TreeModel):
    """From a pixel of the dispersed image, a source and an order to the direct image and the wavelength."""

    n_inputs, n_outputs = 5, 4

    def __init__(self, tag: str, members: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(tag, members, **kwargs)
        self.inputs = ("x", "y", "x0", "y0", "order")
        self.outputs = ("x", "y", "wavelength", "order")


class DirectToGrism(TreeModel):
    """From a source, a wavelength and an order to the dispersed image."""

    n_inputs, n_outputs = 4, 5

    def __init__(self, tag: str, members: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(tag, members, **kwargs)
        self.inputs = ("x", "y", "wavelength", "order")
        self.outputs = ("x", "y", "x0", "y0", "order")


class SpectralOrders(TreeModel):
    """From a pixel and an order of NIRISS SOSS to RA, Dec and wavelength."""

    n_inputs, n_outputs = 3, 3

    def __init__(self, tag: str, members: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(tag, members, **kwargs)
        self.inputs = ("x", "y", "spectral_order")
        self.outputs = ("ra", "dec", "lam")

    def get_model(self, spectral_order: int) -> Model:
        """Return the transform of one order, from pixels.

        Raises
        ------
        KeyError
            If there is none.
        """
        return dict(zip(self.spectral_orders, self.members["models"], strict=True))[spectral_order]
