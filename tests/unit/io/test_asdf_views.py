"""Arrays of an ASDF file that are parts of others: they share a block, some backwards."""

import io

import asdf
import numpy as np
import pytest

from webbcal.io.asdf_text import NotPlain, read

WHOLE = np.arange(600, dtype=np.float64)


def view(shape, offset, strides):
    """Return a file with an array that is a part of a block of 600 numbers."""
    buffer = io.BytesIO()
    asdf.AsdfFile({"part": WHOLE}).write_to(buffer, all_array_storage="internal")
    told = f"shape: {shape}\n  offset: {offset}\n  strides: {strides}"
    assert b"shape: [600]" in buffer.getvalue()
    return buffer.getvalue().replace(b"shape: [600]", told.encode())


@pytest.mark.parametrize(
    ("shape", "offset", "strides", "expected"),
    [
        ([600], 4792, [-8], WHOLE[::-1]),
        ([165], 40, [24], WHOLE[5:500:3]),
        ([6, 4], 752, [240, 8], WHOLE.reshape(20, 30)[3:9, 4:8]),
        ([30, 20], 0, [8, 240], WHOLE.reshape(20, 30).T),
    ],
)
def test_views_are_read_as_they_are(shape, offset, strides, expected):
    np.testing.assert_array_equal(read(view(shape, offset, strides))["part"], expected)


@pytest.mark.parametrize(
    ("shape", "offset", "strides"), [([600], 8, [8]), ([600], 4792, [-16]), ([9], -8, [8])]
)
def test_a_view_beyond_its_block_is_left_to_the_library(shape, offset, strides):
    with pytest.raises(NotPlain):
        read(view(shape, offset, strides))
