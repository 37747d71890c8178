"""Small sound files of all kinds, to be damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from webbcal import datamodels

WCS = """#ASDF 1.0.0
#ASDF_STANDARD 1.6.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
meta:
  model_type: ImageModel
  instrument: {name: NIRCAM, detector: NRCB1}
  wcsinfo: {ra_ref: 1.5, v3yangle: 0.0}
  wcs: !<tag:stsci.edu:gwcs/wcs-1.2.0>
    name: ''
    pixel_shape: null
    steps:
    - !<tag:stsci.edu:gwcs/step-1.1.0>
      frame: !<tag:stsci.edu:gwcs/frame2d-1.0.0>
        axes_names: [x, y]
        axes_order: [0, 1]
        axis_physical_types: ['custom:x', 'custom:y']
        name: detector
        unit: [!unit/unit-1.0.0 pixel, !unit/unit-1.0.0 pixel]
      transform: !transform/shift-1.2.0
        inputs: [x]
        offset: 1.0
        outputs: [y]
  run_record:
  - software: webbcal
    version: '1'
    date: '2026-01-01'
    steps:
    - {step: jump, status: COMPLETE, parameters: {a: {value: 1, origin: file}}}
data: !core/ndarray-1.1.0
  data:
  - [1.0, 2.0]
  - [3.0, 4.0]
  datatype: float32
  shape: [2, 2]
history:
  entries:
  - !core/history_entry-1.0.0 {description: made}
...
"""

PARAMETERS = """#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
class: jwst.pipeline.Detector1Pipeline
name: Detector1Pipeline
meta:
  author: x
  date: '2023-01-01T00:00:00'
  instrument: {name: NIRCAM}
parameters: {save_calibrated_ramp: false, output_dir: null}
steps:
- class: jwst.jump.jump_step.JumpStep
  name: jump
  parameters: {rejection_threshold: 4.0, maximum_cores: none, skip: false}
- class: jwst.ramp_fitting.ramp_fit_step.RampFitStep
  name: ramp_fit
  parameters:
    maximum_cores: '1'
...
"""

CFG = """name = "jump"
class = "jwst.jump.JumpStep"
rejection_threshold = 4.0   # sigma
skip = False
[steps]
    [[dark_current]]
        skip = True
        list = 1, 2, "three"
"""


def make(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Make the files; return kind and content by name."""
    _products(folder)
    _tables(folder)
    _reference(folder)
    members = [
        {"expname": "a_cal.fits", "exptype": "science"},
        {"expname": "b_cal.fits", "exptype": "background"},
    ]
    products = [{"name": "product", "members": members}]
    asn = {
        "asn_type": "image3",
        "asn_rule": "Asn_Lv3Image",
        "asn_id": "o001",
        "program": "01234",
        "products": products,
    }
    (folder / "a_asn.json").write_text(json.dumps(asn, indent=1))
    (folder / "tree.asdf").write_text(WCS)
    (folder / "pars.asdf").write_text(PARAMETERS)
    (folder / "jump.cfg").write_text(CFG)
    catalogue = Table({"label": [1, 2], "flux": [1.5, 2.5], "name": ["a", "b"]}, meta={"version": 1})
    catalogue["flux"].unit = "Jy"
    catalogue.write(folder / "x_cat.ecsv", format="ascii.ecsv")
    return {path.name: (_kind(path), path.read_bytes()) for path in sorted(folder.iterdir())}


def _kind(path: Path) -> str:
    return {".fits": "fits", ".asdf": "asdf", ".json": "json", ".ecsv": "ecsv", ".cfg": "cfg"}[path.suffix]


def _products(folder: Path) -> None:
    image = datamodels.ImageModel(np.arange(64, dtype="f4").reshape(8, 8))
    image.meta.instrument.name, image.meta.instrument.detector = "NIRCAM", "NRCB1"
    image.meta.exposure.type, image.meta.target.ra = "NRC_IMAGE", 1.25
    image.meta.run_record = [{"software": "webbcal", "steps": [{"step": "jump", "status": "COMPLETE"}]}]
    image.add_history_entry("made for a test")
    image.save(folder / "image.fits")
    ramp = datamodels.RampModel((1, 2, 4, 4))
    ramp.meta.exposure.ngroups = 2
    ramp.save(folder / "ramp.fits")
    slits = datamodels.MultiSlitModel()
    for number in range(3):
        slits.slits.append(slits.slits.item(name=f"s{number}", data=np.ones((2, 3), "f4")))
    slits.save(folder / "slits.fits")
    spectra = datamodels.MultiSpecModel()
    dtype = spectra.schema["properties"]["spec"]["items"]["properties"]["spec_table"]["datatype"]
    rows = np.zeros(4, [(column["name"], "f8") for column in dtype])
    spectra.spec.append(spectra.spec.item(spec_table=rows))
    spectra.save(folder / "spectra.fits")


def _tables(folder: Path) -> None:
    """A file with tables and images of all kinds beside a product."""
    lists = np.array([np.arange(2.0), np.arange(3.0), np.zeros(0)], object)
    columns = [
        fits.Column("flux", "D", unit="Jy", array=np.arange(3.0)),
        fits.Column("nul", "J", null=-99, array=np.array([-99, 1, 2])),
        fits.Column("bits", "5X", array=np.ones((3, 5), bool)),
        fits.Column("lists", "PD()", array=lists),
        fits.Column("text", "5A", array=["a", "bb", "ccccc"]),
        fits.Column("cube", "4I", dim="(2,2)", array=np.arange(12).reshape(3, 2, 2)),
        fits.Column("z", "C", array=np.array([1j, 2, 3], "c8")),
        fits.Column("sc", "I", array=np.arange(3, dtype="i2")),
    ]
    plain = [c for c in columns if c.name in ("flux", "nul", "text")]
    text = fits.TableHDU.from_columns(
        [fits.Column("a", "F12.4", array=np.arange(3.0)), fits.Column("n", "A5", array=["x", "y", "z"])]
    )
    text.name = "TEXT"
    scaled = fits.ImageHDU(np.arange(16, dtype="i2").reshape(4, 4), name="SCALED")
    scaled.header["BSCALE"], scaled.header["BZERO"], scaled.header["BLANK"] = 0.5, 1.0, 3
    sci = fits.CompImageHDU(np.arange(64, dtype="i4").reshape(8, 8), name="SCI")
    hdus = [fits.PrimaryHDU(np.zeros((2, 2), "i2")), sci, fits.BinTableHDU.from_columns(columns, name="ODD")]
    hdus += [fits.BinTableHDU.from_columns(plain, name="PLAIN"), text, scaled, fits.ImageHDU(name="EMPTY")]
    hdus[2].header["TSCAL8"], hdus[2].header["TZERO8"] = 0.5, 3.0
    hdus[0].header["DATAMODL"] = "ImageModel"
    hdus[0].header["HIERARCH a long keyword"] = 5
    hdus[0].header["LONG"] = "word " * 40
    fits.HDUList(hdus).writeto(folder / "odd.fits")


def _reference(folder: Path) -> None:
    header = fits.Header({"REFTYPE": "SUPERBIAS", "DATAMODL": "SuperBiasModel", "TELESCOP": "JWST"})
    names = [fits.Column("BIT", "J", array=[0]), fits.Column("VALUE", "J", array=[1])]
    names += [fits.Column("NAME", "40A", array=["DO_NOT_USE"]), fits.Column("DESCRIPTION", "80A", array=[""])]
    images = [
        fits.ImageHDU(np.ones((4, 4), "f8"), name="SCI"),
        fits.ImageHDU(np.ones((4, 4), "f4"), name="ERR"),
    ]
    images.append(fits.ImageHDU(np.ones((4, 4), "i4"), name="DQ"))
    hdus = [fits.PrimaryHDU(header=header), *images, fits.BinTableHDU.from_columns(names, name="DQ_DEF")]
    fits.HDUList(hdus).writeto(folder / "reference.fits")
