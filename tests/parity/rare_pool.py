"""A pool for the rules that no pool of the peer's tests needs."""

_ALL = {
    "program": "1",
    "obs_num": "1",
    "obs_id": "v1",
    "targetid": "1",
    "pntgtype": "science",
    "visitype": "prime_targeted_fixed",
    "subarray": "full",
    "mostilno": "1",
}
_NIRCAM = {"instrume": "nircam", "exp_type": "nrc_coron", "filter": "f200w", "pupil": "maskrnd"}
_LRS = {"instrume": "miri", "detector": "mirimage", "exp_type": "mir_lrs-fixedslit", "filter": "p750l"}
_LAMP = {
    "instrume": "nirspec",
    "exp_type": "nrs_lamp",
    "filter": "opaque",
    "detector": "nrs1",
    "lamp": "line3",
}
_GRISM = {"instrume": "nircam", "detector": "nrcalong", "filter": "f444w", "channel": "long"}
_NIRISS = {"instrume": "niriss", "detector": "nis", "filter": "gr150c", "pupil": "f200w"}
_MRS = {
    "instrume": "miri",
    "detector": "mirifushort",
    "exp_type": "mir_mrs",
    "band": "short",
    "channel": "12",
}
_DIRECT = {"asn_candidate": "[('c1001', 'direct_image')]"}

_ROWS = [
    {**_NIRCAM, "detector": "nrca1", "channel": "short"},
    {**_NIRCAM, "detector": "nrca2", "channel": "short"},
    {**_NIRCAM, "detector": "nrca2", "channel": "short", "targetid": "2", "is_psf": "t"},
    {**_NIRCAM, "detector": "nrca2", "channel": "short", "bkgdtarg": "t", "obs_num": "2"},
    {**_LRS, "exp_type": "mir_taconfirm", "filter": "f560w"},
    {**_LRS, "patttype": "along-slit-nod", "patt_num": "1"},
    {**_LRS, "patttype": "along-slit-nod", "patt_num": "2"},
    {**_LRS, "patttype": "along-slit-nod", "patt_num": "2", "obs_num": "2"},
    {**_LRS, "exp_type": "mir_lrs-slitless", "subarray": "slitlessprism", "tsovisit": "t"},
    {**_LRS, "bkgdtarg": "t", "targetid": "3", "obs_num": "2"},
    {**_LAMP, "grating": "mirror", "opmode": "image"},
    {**_LAMP, "grating": "g395h", "opmode": "fixedslit"},
    {**_LAMP, "grating": "g140h", "opmode": "fixedslit"},
    {**_LAMP, "grating": "g140h", "opmode": "ifu", "lamp": "flat4", "detector": "nrs2"},
    {**_LAMP, "grating": "g395m", "opmode": "ifu", "exp_type": "nrs_autoflat"},
    {**_LAMP, "grating": "prism", "opmode": "msaspec", "msametfl": "m.fits", "exp_type": "nrs_autowave"},
    {**_LAMP, "grating": "prism", "opmode": "msaspec", "exp_type": "nrs_autowave"},
    {**_GRISM, "exp_type": "nrc_image", "pupil": "clear", "expspcin": "1"},
    {**_GRISM, "exp_type": "nrc_wfss", "pupil": "grismr", "expspcin": "2"},
    {**_GRISM, "exp_type": "nrc_wfss", "pupil": "grismc", "expspcin": "4"},
    {**_GRISM, "exp_type": "nrc_image", "pupil": "f405n", "expspcin": "5"},
    {**_GRISM, "exp_type": "nrc_image", "pupil": "clear", "filter": "f322w2", "expspcin": "3"},
    {**_NIRISS, "exp_type": "nis_wfss", **_DIRECT},
    {**_NIRISS, "exp_type": "nis_image", "filter": "clear", **_DIRECT},
    {**_GRISM, "exp_type": "nrc_image", "pupil": "clear", **_DIRECT},
    {**_GRISM, "exp_type": "nrc_wfss", "pupil": "grismr", **_DIRECT},
    {**_MRS},
    {**_MRS, "bkgdtarg": "t", "targetid": "4", "obs_num": "2"},
    {**_MRS, "bkgdtarg": "t", "targetid": "4", "obs_num": "1", "channel": "34", "detector": "mirifulong"},
    {**_NIRISS, "exp_type": "nis_soss", "filter": "clear", "pupil": "gr700xd", "subarray": "substrip256"},
    {**_NIRISS, "exp_type": "nis_soss", "filter": "f277w", "pupil": "gr700xd", "tsovisit": "t"},
    {**_NIRISS, "exp_type": "nis_soss", "filter": "clear", "pupil": "gr700xd", "tsovisit": "t", "nints": "1"},
    {**_GRISM, "exp_type": "nrc_tsgrism", "pupil": "clear"},
    {**_GRISM, "exp_type": "nrc_tsgrism", "pupil": "grismr", "detector": "nrcblong"},
    {**_GRISM, "exp_type": "nrc_tsgrism", "pupil": "grismr"},
]
_COLUMNS = dict.fromkeys(column for row in _ROWS for column in row)

#: The rules that it is for.
RULES = {
    "Asn_Lv2CoronAsRate",
    "Asn_Lv2MIRLRSFixedSlitNod",
    "Asn_Lv2NRSLAMPImage",
    "Asn_Lv2NRSLAMPSpectral",
    "Asn_Lv2WFSSNRC",
    "Asn_Lv2WFSSParallel",
    "Asn_Lv3MIRMRSBackground",
    "Asn_Lv3NRCCoronImage",
    "Asn_Lv3SlitlessSpectral",
    "Asn_Lv3SpectralTarget",
    "Asn_Lv3WFSSNRC",
}


def rows():
    """Return the rows of the pool."""
    for number, row in enumerate(_ROWS):
        long = "long" if row.get("detector", "").endswith("long") else "other"
        observation = row.get("obs_num", "1")
        candidates = f"[('o00{observation}', 'observation'), ('c1000', 'background')]"
        name = {"filename": f"jw_{number:05d}_{long}_uncal.fits"}
        nothing = dict.fromkeys(_COLUMNS, "null")
        yield {**name, **nothing, **_ALL, "asn_candidate": candidates, **row}
