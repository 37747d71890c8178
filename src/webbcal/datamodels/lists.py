"""Models that are lists: of slits, of spectra, of exposures of a source."""

from __future__ import annotations

from typing import Any, ClassVar

from webbcal.datamodels.model import DataModel
from webbcal.datamodels.models import JwstDataModel, SlitModel
from webbcal.datamodels.node import ObjectNode, plain
from webbcal.datamodels.table import Schema
from webbcal.datamodels.unfolding import unfold

#: What slits have and jwst of 2021 had for the product.
_UNITS = ("bunit_data", "bunit_err")


class ListModel(JwstDataModel):
    """A model with a list of items that are as good as models.

    Made of a model of a single item, it holds that as its only item.
    """

    #: The member that is the list.
    _list: ClassVar[str] = ""
    #: Classes that become an item.
    _single: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, init: Any = None, **options: Any) -> None:
        single = isinstance(init, DataModel) and any(c.__name__ in self._single for c in type(init).__mro__)
        super().__init__(None if single else init, **options)
        if single:
            self._take(init)

    def _take(self, single: DataModel) -> None:
        """Make a model of a single item the only item."""
        self.update(single)
        getattr(self, self._list).append(single)


class _SlitsMeta(ObjectNode):
    """The metadata of a product of slits: units that all slits share are its own, as they once were."""

    def __getattr__(self, name: str) -> Any:
        if name in _UNITS and self._tree.get(name) is None:
            slits = self._model.contents.tree.get("slits", [])
            shared = {slit.get("meta", {}).get(name) for slit in slits}
            if len(shared) == 1 and None not in shared:
                return shared.pop()
        return super().__getattr__(name)


class MultiSlitModel(ListModel):
    """Slits of an exposure; ``model[0]`` is the first as a model of its own, with the metadata of all."""

    _list: ClassVar[str] = "slits"
    _single: ClassVar[frozenset[str]] = frozenset({"SlitModel", "ImageModel"})

    def _wrap(self, value: Any, schema: Schema, name: str | int) -> Any:
        if name == "meta" and isinstance(value, dict):
            return _SlitsMeta(value, schema, self._model, "meta")
        return super()._wrap(value, schema, name)

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        if not -len(self.slits) <= key < len(self.slits):
            raise IndexError(f"slit {key} of {len(self.slits)}")
        return single_slit(self, key)


def single_slit(model: DataModel, number: int) -> SlitModel:
    """Return a slit of a model as a model of its own: with the same arrays, and the metadata of the model.

    Of the metadata of the slit it keeps the WCS, as in jwst.
    """
    item = model.slits[number]
    slit = SlitModel()
    slit.update(model)
    slit.contents.name, slit.contents.files = model.contents.name, list(model.contents.files)
    own = {name: value for name, value in plain(item).items() if name not in ("meta", "extra_fits")}
    slit.contents.tree.update(own)
    if item.meta.hasattr("wcs"):
        slit.meta.wcs = item.meta.instance["wcs"]
    return slit


class MultiExposureModel(ListModel):
    """Slits of one source, each of another exposure, with its metadata."""

    _list: ClassVar[str] = "exposures"
    _single: ClassVar[frozenset[str]] = frozenset({"SlitModel", "SlitDataModel", "ImageModel"})


class SpectraModel(ListModel):
    """A list of spectra."""

    _list: ClassVar[str] = "spec"

    def _take(self, single: DataModel) -> None:
        self.spec.append(self.spec.item(spec_table=single.spec_table))


class UnfoldedModel(SpectraModel):
    """Spectra one by one; of products that have them in the rows of tables, an item for each row."""

    def _set_contents(self, init: Any) -> None:
        super()._set_contents(init)
        unfold(self.contents, self.schema["properties"][self._list]["items"])


class MultiSpecModel(UnfoldedModel):
    """Spectra of an exposure, one a slit, source or integration."""

    _single: ClassVar[frozenset[str]] = frozenset({"SpecModel"})


class MultiCombinedSpecModel(UnfoldedModel):
    """Spectra that were combined of several, one a source and order."""

    _single: ClassVar[frozenset[str]] = frozenset({"CombinedSpecModel"})


class MRSMultiSpecModel(SpectraModel):
    """Spectra of the MRS, with columns for what is corrected for fringes."""

    _single: ClassVar[frozenset[str]] = frozenset({"MRSSpecModel"})


class TSOMultiSpecModel(SpectraModel):
    """Spectra of a time series, tables with a row for each integration."""

    _single: ClassVar[frozenset[str]] = frozenset({"TSOSpecModel"})


class WFSSMultiSpecModel(SpectraModel):
    """Spectra of many sources, tables with a row for each source."""

    _single: ClassVar[frozenset[str]] = frozenset({"WFSSSpecModel"})


def items_of(model: DataModel) -> Any:
    """Return the list of items of a model that is a list, else a list of the model alone.

    All metadata are loaded, so that items can be worked on side by side.
    """
    model.contents.load_asdf()
    return getattr(model, model._list) if isinstance(model, ListModel) else [model]
