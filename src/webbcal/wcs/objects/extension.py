"""How asdf makes these models of tags, and tags of them: for webbcal's own reading and writing only.

An extension that was registered for all of asdf would take the place of that of `stdatamodels`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from asdf.extension import Extension
from asdf_astropy.converters.transform.core import TransformConverterBase

from webbcal.wcs.kinds.kind import JWST
from webbcal.wcs.objects.models import DirectToGrism, GrismToDirect, SpectralOrders, TreeModel

#: Tag without version -> versions of it in files.
_VERSIONS = {
    "nircam_grism_dispersion": ("0.7.0", "1.0.0", "1.1.0", "1.2.0"),
    "niriss_grism_dispersion": ("0.7.0", "1.0.0", "1.1.0", "1.2.0"),
    "miri_wfss_dispersion": ("1.0.0",),
    "niriss_soss": ("0.7.0", "1.0.0", "1.1.0", "1.2.0"),
    "niriss-soss": ("0.7.0", "1.0.0", "1.1.0", "1.2.0"),
}
TAGS = tuple(f"{JWST}{name}-{version}" for name, versions in _VERSIONS.items() for version in versions)

#: What all transforms have, beside their own members.
_COMMON = (
    "name",
    "inverse",
    "inputs",
    "outputs",
    "bounding_box",
    "fixed",
    "bounds",
    "input_units_equivalencies",
)


class TreeModelConverter(TransformConverterBase):
    """From the members of a tree to a model and back."""

    tags: ClassVar[tuple[str, ...]] = TAGS
    types: ClassVar[tuple[type, ...]] = (GrismToDirect, DirectToGrism, SpectralOrders)

    def select_tag(self, obj: TreeModel, tags: list[str], ctx: Any) -> str:
        """Return the tag that a model was made of."""
        return obj.tag

    def to_yaml_tree_transform(self, model: TreeModel, tag: str, ctx: Any) -> dict[str, Any]:
        """Return the members of a model."""
        return dict(model.members)

    def from_yaml_tree_transform(self, node: dict[str, Any], tag: str, ctx: Any) -> TreeModel:
        """Return the model of a tree."""
        members = {name: _plain(value) for name, value in node.items() if name not in _COMMON}
        return _class_of(tag, members)(tag, members)


def _class_of(tag: str, members: dict[str, Any]) -> type[TreeModel]:
    if "soss" in tag:
        return SpectralOrders
    kind = str(members.get("model_type") or members["class_name"])
    return DirectToGrism if "Backward" in kind else GrismToDirect


def _plain(value: Any) -> Any:
    """Return lists of asdf as plain lists."""
    return [_plain(one) for one in value] if hasattr(value, "append") else value


class JwstTransforms(Extension):
    """The extension; it has the name of the manifest in which these tags are defined."""

    extension_uri = "asdf://stsci.edu/jwst_pipeline/manifests/jwst_transforms-1.2.0"
    converters: ClassVar[list[Any]] = [TreeModelConverter()]
    tags: ClassVar[list[str]] = list(TAGS)


def extensions() -> list[Extension]:
    """Return the extension, or none if asdf has objects for these tags already."""
    import asdf

    known = asdf.AsdfFile().extension_manager.handles_tag
    return [] if any(known(tag) for tag in TAGS) else [JwstTransforms()]
