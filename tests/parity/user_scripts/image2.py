"""Calibrated images: an instance whose attributes are set, a cfg file, a step run by itself."""

import sys
from pathlib import Path

from jwst import datamodels
from jwst.associations.asn_from_list import asn_from_list
from jwst.associations.lib.rules_level2_base import DMSLevel2bBase
from jwst.flatfield import FlatFieldStep
from jwst.pipeline import calwebb_image2

rates = sys.argv[1:]
Path("flat.cfg").write_text(
    'name = "flat_field"\nclass = "jwst.flatfield.FlatFieldStep"\nsave_interpolated_flat = False\n'
)
asn = asn_from_list(rates, rule=DMSLevel2bBase)
name, text = asn.dump()
Path("image2_asn.json").write_text(text)

image2 = calwebb_image2.Image2Pipeline(steps={"photom": {"post_hooks": ["hooks_of_mine.Halve(divisor=4)"]}})
image2.output_dir = "out"
image2.save_results = True
image2.assign_wcs.sip_approx = False
image2.flat_field.save_results = True
image2.resample.skip = True
image2.run("image2_asn.json")

with datamodels.open(rates[0]) as rate:
    flat = FlatFieldStep.call(rate, config_file="flat.cfg", skip="False")
    assert rate.meta.cal_step.flat_field is None
    assert flat.meta.cal_step.flat_field == "COMPLETE"
    flat.save("out/alone_flat.fits")
