"""Whatever is plotted: settings stay as they were, and no figure of a test stays open."""

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def _settings_stay() -> Iterator[None]:
    before, backend = dict(mpl.rcParams), mpl.get_backend()
    yield
    pyplot.close("all")
    assert dict(mpl.rcParams) == before and mpl.get_backend() == backend
