"""Images of how spectra were extracted: weights, what was taken out, and what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbcal import datamodels
from webbcal.kernels.extraction.reference import polynomial
from webbcal.spectra.box import extract_box, fit_background
from webbcal.spectra.extract_parameters import Extract1dParameters
from webbcal.spectra.optimal import fit_columns
from webbcal.spectra.planes import Planes
from webbcal.spectra.slit import Spectrum

F64 = NDArray[np.float64]


def pictures_of(spectrum: Spectrum, exposure: Any, wanted: Extract1dParameters) -> dict[str, Any]:
    """Return the wanted images of a slit by their suffix, with the metadata of its exposure."""
    images: dict[str, Any] = {}
    if wanted.save_profile:
        images["profile"] = spectrum.layout.turned(spectrum.weights.sources.sum(axis=0))
    if wanted.save_scene_model or wanted.save_residual_image:
        scene, residual = _scenes(spectrum)
        images |= {"scene_model": scene} if wanted.save_scene_model else {}
        images |= {"residual": residual} if wanted.save_residual_image else {}
    return {suffix: _image(image, spectrum, exposure) for suffix, image in images.items()}


def _image(data: NDArray[Any], spectrum: Spectrum, exposure: Any) -> Any:
    cls = datamodels.CubeModel if data.ndim == 3 else datamodels.ImageModel
    image = cls(data=np.ascontiguousarray(data, np.float32))
    image.update(exposure, only="PRIMARY")
    image.name = spectrum.name
    return image


def _scenes(spectrum: Spectrum) -> tuple[F64, F64]:
    """Return the image of what was extracted and the residual, of several integrations both in a cube."""
    planes = Planes(spectrum.layout)
    pairs = [_scene(spectrum, planes, k) for k in range(planes.count or 1)]
    several = planes.count is not None and planes.count > 1
    scene, residual = (np.array([pair[n] for pair in pairs]) for n in (0, 1))
    scene, residual = (spectrum.layout.turned(cube) for cube in (scene, residual))
    return (scene, residual) if several else (scene[0], residual[0])


def _scene(spectrum: Spectrum, planes: Planes, integration: int) -> tuple[F64, F64]:
    """Return what was extracted from an integration, and what is left: (across, along) both."""
    aperture, weights = spectrum.aperture, spectrum.weights
    image, variances = planes.read(integration)
    if aperture.extraction == "optimal":
        order = aperture.order if aperture.subtracts else None
        model = fit_columns(image, variances, weights.sources, weights.background, order, True).model
        return model, image - model
    box, background = weights.sources[0], None
    position = np.linspace(-1, 1, image.shape[0])
    model = np.zeros(image.shape)
    if weights.background is not None:
        order = None if aperture.fit == "median" else aperture.order
        background = fit_background(
            image, variances, box, weights.background, position, order, aperture.smoothing
        )
        model += polynomial(position, background.coefficients)
    found = extract_box(image, variances, box, position, background)
    mean = np.divide(found.flux, found.npixels, out=np.zeros_like(found.flux), where=found.npixels > 0)
    model += np.where(np.isfinite(image - model), box, 0.0) * mean
    return model, image - model
