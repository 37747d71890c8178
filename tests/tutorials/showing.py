"""How the field's tutorial on products (seed 001) shows data: its functions, and what `info` prints."""

from typing import Any

import matplotlib as mpl
import pytest

mpl.use("Agg")
RATE_ARRAYS = ["data", "dq", "err", "var_poisson", "var_rnoise"]


def create_image(data_2d: Any, title: str | None = None) -> Any:
    """Show an image, as the function of this name in the tutorial does; return what was drawn."""
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(4, 4))
    plt.subplot()
    limits = {"IMAGE": (0, 10), "WFSS": (-0.05, 0.5)}
    (vmin, vmax) = next(v for kind, v in limits.items() if kind in data_2d.meta.exposure.type)
    drawn = plt.imshow(data_2d.data, origin="lower", cmap="gray", vmin=vmin, vmax=vmax)
    if title:
        plt.title(title)
    bar = plt.colorbar(label=data_2d.meta.bunit_data)
    fig.canvas.draw()
    assert bar.ax.get_ylabel() == data_2d.meta.bunit_data
    plt.close(fig)
    return drawn.get_array()


def show(model: Any, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the names of the arrays that `info` prints."""
    model.info()
    return [
        line.split()[0].strip("├└─│") for line in capsys.readouterr().out.splitlines() if "(array)" in line
    ]


def create_slit_image(data_2d: Any, slit_number: int, title: str | None = None) -> Any:
    """Show the image of a slit, as the function of this name does; return what was drawn, and its title."""
    import matplotlib.pyplot as plt

    slit = data_2d.slits[slit_number]
    fig = plt.figure(figsize=(4, 4))
    plt.subplot()
    drawn = plt.imshow(slit.data, origin="lower", cmap="gray", vmin=-0.1, vmax=0.3)
    plt.colorbar(label=data_2d.meta.bunit_data)
    title = title or f"object {slit.source_id} order = {slit.meta.wcsinfo.spectral_order}"
    plt.title(title)
    fig.canvas.draw()
    plt.close(fig)
    return drawn.get_array(), title
