"""The linear correction of an alignment, in the tree of a WCS (this module imports tweakwcs).

`tweakwcs` matches catalogues and fits; for what it fits to, it takes any `WCSCorrector`. Its own for JWST
changes models of astropy; making and copying these for each exposure takes longer than the fits. This one
evaluates the tree as all steps do, and puts the same transform under the same names into it, so that whoever
reads the file finds the correction where it always was. Tests hold it to `tweakwcs.correctors`.

The correction is an affine transformation in the tangent plane at the reference point of the aperture in V2
and V3: between the frame ``v2v3vacorr`` (or ``v2v3``) and a frame ``v2v3corr`` that has the same axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tweakwcs.correctors import WCSCorrector

from webbcal.io.asdf_text import Tagged
from webbcal.wcs import trees
from webbcal.wcs.bounds import Bounds
from webbcal.wcs.evaluation import forward
from webbcal.wcs.kinds.kind import Function
from webbcal.wcs.tree_wcs import TreeWCS

F64 = NDArray[np.float64]
#: Matrix and translation.
Affine = tuple[F64, F64]

_NAME = "JWST tangent-plane linear correction. v1"
_CORRECTED = "v2v3corr"
_ARCSEC = np.degrees(1.0) * 3600.0  # in a radian
#: Where the axes of one tangent plane are compared with those of another: arcsec, close to both centres.
_PROBE = np.array([(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.0, 0.0)]).T


class TangentCorrector(WCSCorrector):
    """Corrects the WCS of an image.

    Parameters
    ----------
    wcs : TreeWCS
        With the frame ``v2v3``, and not yet with ``v2v3corr`` unless this class made it.
    angles : dict
        ``v2_ref``, ``v3_ref`` (arcsec), ``roll_ref`` (degrees).
    meta : dict
        What `tweakwcs` wants to know of the image.

    Raises
    ------
    ValueError
        If the WCS lacks the frame, or has a correction of another kind.
    """

    units = "arcsec"

    def __init__(self, wcs: TreeWCS, angles: dict[str, float], meta: dict[str, Any]) -> None:
        super().__init__(wcs, meta)
        if "v2v3" not in wcs.frames[1:-1]:
            raise ValueError("there is no frame v2v3 between its pixels and the sky")
        self._angles = [angles["v2_ref"] / 3600.0, -angles["v3_ref"] / 3600.0, angles["roll_ref"]]
        self._affine: Affine = np.eye(2), np.zeros(2)
        if _CORRECTED in wcs.frames:
            step = wcs.tree.value["steps"][wcs.frames.index(_CORRECTED) - 1]
            self._affine = _affine_in(step.value["transform"], self._angles)
        self._projection = self._project()

    @property
    def _frame(self) -> str:
        """The frame that the tangent plane belongs to."""
        known = ("v2v3", "v2v3vacorr", _CORRECTED)
        return next(name for name in reversed(known) if name in self._wcs.frames)

    def _project(self) -> tuple[Function, Function]:
        """Return the functions from V2 and V3 (arcsec) to the tangent plane (radians), and back."""
        there = trees.chain(*_to_plane(self._angles), trees.affine(*self._affine))
        back = trees.chain(trees.affine(*_inverse(*self._affine)), *_from_plane(self._angles))
        return forward(there), forward(back)

    # What `tweakwcs` asks for
    def det_to_world(self, x: Any, y: Any) -> tuple[F64, ...]:
        """Return RA and Dec of pixels; NaN outside the bounding box."""
        sky: tuple[F64, ...] = self._wcs(x, y)
        return sky

    def world_to_det(self, ra: Any, dec: Any) -> tuple[F64, ...]:
        """Return pixels of sky positions; NaN outside the bounding box."""
        pixels: tuple[F64, ...] = self._wcs.invert(ra, dec)
        return pixels

    def det_to_tanp(self, x: Any, y: Any) -> tuple[F64, F64]:
        """Return positions of pixels in the tangent plane, arcsec."""
        return self._to_plane(*self._wcs.between(self._wcs.frames[0], self._frame, x, y))

    def tanp_to_det(self, x: Any, y: Any) -> tuple[F64, ...]:
        """Return pixels of positions in the tangent plane."""
        return self._wcs.between(self._frame, self._wcs.frames[0], *self._from_plane(x, y))

    def world_to_tanp(self, ra: Any, dec: Any) -> tuple[F64, F64]:
        """Return positions in the tangent plane, arcsec, of those on the sky."""
        return self._to_plane(*self._wcs.between(self._wcs.frames[-1], self._frame, ra, dec))

    def tanp_to_world(self, x: Any, y: Any) -> tuple[F64, ...]:
        """Return RA and Dec of positions in the tangent plane."""
        return self._wcs.between(self._frame, self._wcs.frames[-1], *self._from_plane(x, y))

    @property
    def bounding_box(self) -> Bounds | None:
        """Outer edges of the image, ((x0, x1), (y0, y1))."""
        shape = self._owcs.array_shape
        whole = None if shape is None else ((-0.5, shape[1] - 0.5), (-0.5, shape[0] - 0.5))
        return self._owcs.bounding_box or whole

    def set_correction(
        self, matrix: Any = ((1, 0), (0, 1)), shift: Any = (0, 0), ref_tpwcs: WCSCorrector | None = None,
        meta: dict[str, Any] | None = None, **_: Any,
    ) -> None:  # fmt: skip
        """Correct the WCS: in a tangent plane, positions (arcsec) are turned by a matrix, then shifted.

        Parameters
        ----------
        matrix : (2, 2) array
        shift : pair of float
            Arcsec.
        ref_tpwcs : WCSCorrector, optional
            To whose tangent plane this applies; by default its own.
        meta : dict, optional
            What `tweakwcs` notes.
        """
        matrix, shift = np.asarray(matrix, float), np.asarray(shift, float)
        if ref_tpwcs is not None:
            matrix, shift = self._in_own_plane(matrix, shift, ref_tpwcs)
        before, moved = self._affine
        self._affine = matrix @ before, matrix @ moved + shift / _ARCSEC
        self._wcs = TreeWCS(self._corrected_tree())
        self._projection = self._project()
        super().set_correction(matrix=matrix, shift=shift, meta=meta)

    def _in_own_plane(self, matrix: F64, shift: F64, other: WCSCorrector) -> tuple[F64, F64]:
        """Return what a correction in another tangent plane is in this one."""
        places = np.array(self.world_to_tanp(*other.tanp_to_world(*_PROBE)))
        turn = np.array([places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]]).T
        origin = places[:, 3]
        matrix = turn @ matrix @ np.linalg.inv(turn)
        return matrix, turn @ shift - matrix @ origin + origin

    def _to_plane(self, v2: Any, v3: Any) -> tuple[F64, F64]:
        x, y = self._projection[0](v2, v3)
        return x * _ARCSEC, y * _ARCSEC

    def _from_plane(self, x: Any, y: Any) -> tuple[F64, ...]:
        return self._projection[1](np.asarray(x, float) / _ARCSEC, np.asarray(y, float) / _ARCSEC)

    def _corrected_tree(self) -> Tagged:
        tree = self._wcs.tree.value
        steps, at = list(tree["steps"]), self._wcs.frames.index(self._frame)
        correction = correction_tree(self._angles, self._affine)
        if self._frame == _CORRECTED:
            steps[at - 1] = _with(steps[at - 1], transform=correction)
        else:
            frame = _with(steps[at].value["frame"], name=_CORRECTED)
            steps[at : at + 1] = [_with(steps[at], transform=correction), _with(steps[at], frame=frame)]
        return _with(self._wcs.tree, steps=steps, pixel_shape=None)


def correction_tree(angles: Sequence[float], affine: Affine) -> Tagged:
    """Return the transform from V2 and V3 to the corrected ones, with its inverse.

    Parameters
    ----------
    angles : sequence of float
        V2, -V3 and roll of the reference point, degrees.
    affine : tuple
        Matrix and translation (radians) in the tangent plane.
    """
    to_plane, from_plane = _to_plane(angles), _from_plane(angles)
    there = trees.affine(*affine, name="tp_affine")
    back = trees.affine(*_inverse(*affine), name="tp_affine_inv")
    inverse = trees.chain(*to_plane, back, *from_plane, name=f"Inverse {_NAME}")
    return _with(trees.chain(*to_plane, there, *from_plane, name=_NAME), inverse=inverse)


def _to_plane(angles: Sequence[float]) -> list[Tagged]:
    """Return the transforms from V2 and V3 to the tangent plane."""
    degree = trees.scale(1 / 3600.0, "arcsec_to_deg_1D")
    project = trees.chain(
        trees.quotient(trees.remap((0, 1, 2), 3, "xyz"), trees.remap((0, 0, 0), 3, "xxx")),
        trees.remap((1, 2), 3, "xtyt"),
        name="Cartesian 3D to TAN",
    )
    return [
        trees.both(degree, degree, "arcsec_to_deg_2D"),
        trees.spherical("spherical_to_cartesian", 180, "s2c"),
        trees.rotations(angles, "zyx", "det_to_optic_axis"),
        project,
    ]


def _from_plane(angles: Sequence[float]) -> list[Tagged]:
    """Return the transforms from the tangent plane to V2 and V3."""
    arcsec = trees.scale(3600.0, "deg_to_arcsec_1D")
    lift = trees.chain(
        trees.remap((0, 0, 1), 2, "xtyt2xyz"),
        trees.both(trees.constant(1.0, "one"), trees.identity(2, "I(2D)")),
        name="TAN to cartesian 3D",
    )
    return [
        lift,
        trees.rotations([-angle for angle in reversed(angles)], "xyz", "optic_axis_to_det"),
        trees.spherical("cartesian_to_spherical", 180, "c2s"),
        trees.both(arcsec, arcsec, "deg_to_arcsec_2D"),
    ]


def _inverse(matrix: F64, translation: F64) -> Affine:
    back = np.linalg.inv(matrix).astype(np.float64)
    return back, -back @ translation


def _affine_in(correction: Tagged, angles: Sequence[float]) -> Affine:
    """Return the affine transformation of an earlier correction.

    Raises
    ------
    ValueError
        If it is another transform, or about another reference point.
    """
    parts = {part.value.get("name"): part.value for part in _flat(correction)}
    if correction.value.get("name") != _NAME or not {"tp_affine", "det_to_optic_axis"} <= set(parts):
        raise ValueError("its frame v2v3corr was not made by an alignment like this")
    if not np.allclose(parts["det_to_optic_axis"]["angles"], angles, rtol=1e-14, atol=0):
        raise ValueError("it was corrected before, about another reference point (V2_REF, V3_REF, ROLL_REF)")
    affine = parts["tp_affine"]
    return np.array(affine["matrix"], float), np.array(affine["translation"], float)


def _flat(node: Tagged) -> list[Tagged]:
    """Return the parts of a chain of transforms, in their order."""
    return (
        [leaf for part in node.value["forward"] for leaf in _flat(part)] if node.kind == "compose" else [node]
    )


def _with(node: Tagged, **members: Any) -> Tagged:
    """Return a copy of a node with other members."""
    return Tagged(node.tag, node.value | members)
