"""Astrometry from elsewhere: the pointing, roll and scale of calibrated images are set by hand."""

import sys
from pathlib import Path

import astropy.units as u
from jwst import datamodels
from jwst.assign_wcs.util import update_fits_wcsinfo
from jwst.lib.file_utils import pushdir
from jwst.lib.pipe_utils import is_tso
from jwst.lib.suffix import remove_suffix, replace_suffix
from jwst.tweakreg.utils import adjust_wcs

with pushdir("out"):
    for name in sys.argv[1:]:
        root, separator = remove_suffix(Path(name).stem)
        with datamodels.open(name) as model:
            before = model.meta.wcs(10.0, 20.0)
            shifted = adjust_wcs(model.meta.wcs, delta_ra=-0.5 * u.arcsec, delta_dec=1e-4, delta_roll=0.02)
            assert model.meta.wcs(10.0, 20.0) == before
            model.meta.wcs = adjust_wcs(shifted, scale_factor=1.0002)
            update_fits_wcsinfo(model, max_pix_error=0.005)
            assert not is_tso(model) and separator == "_"
            model.save(f"{replace_suffix(root + '_cal', 'adjusted')}.fits")
