import numpy as np
import pytest
from astropy.io import fits

from webbcal import datamodels


@pytest.mark.parametrize("box", [(slice(0, 3), slice(1, 4)), (slice(1, 2), slice(0, 5), slice(2, 6))])
def test_stored_values_are_those_of_the_file_in_its_byte_order(box, tmp_path) -> None:
    data = np.arange(3 * 5 * 7, dtype=np.float32).reshape(3, 5, 7)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]).writeto(tmp_path / "a.fits")
    source = datamodels.DarkModel(tmp_path / "a.fits").source("data")
    stored = source.read_stored(*box)
    np.testing.assert_array_equal(stored, data[box])
    if len(box) == 2:  # whole rows come as they lie in the file
        assert stored.dtype == np.dtype(">f4")
