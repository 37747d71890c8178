"""Pools of a few exposures, as tests need them."""

from webbcal.associations import pool_of

_MIRI_IMAGE = {
    "program": "1234",
    "obs_num": "1",
    "obs_id": "v01234001001p0000000002101",
    "exp_type": "mir_image",
    "instrume": "miri",
    "detector": "mirimage",
    "filter": "f770w",
    "subarray": "full",
    "targetid": "1",
    "visitype": "prime_targeted_fixed",
    "pntgtype": "science",
    "patttype": "null",
    "tsovisit": "f",
    "bkgdtarg": "f",
    "is_psf": "f",
    "is_imprt": "f",
}


def exposure(number, **columns):
    """Return an exposure of MIRI's imager with some columns of its own."""
    row = {"filename": f"jw01234001001_02101_{number:05d}_mirimage_uncal.fits", **_MIRI_IMAGE, **columns}
    observation = int(row["obs_num"])
    row.setdefault("asn_candidate", f"[('o{observation:03d}', 'observation')]")
    return row


def pool(*rows):
    """Return a pool of rows."""
    return pool_of(rows, "jw01234_20260101t000000_pool.csv")


def members(association):
    """Return the files of an association's only product, without what all names have, by role."""
    (product,) = association["products"]
    short = [
        (m["exptype"], m["expname"].replace("jw01234001001_02101_", "").replace("_mirimage", ""))
        for m in product["members"]
    ]
    return {role: [name for kind, name in short if kind == role] for role, _ in short}
