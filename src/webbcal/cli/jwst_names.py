"""Commands by the names that people have in their shell scripts: what each is in webbcal.

An installed `jwst` has commands of these names, which ours must not hide: they are ``webbcal strun …``, and
files of their own only where somebody asks for them (``webbcal commands``).
"""

#: Name in `jwst` and `stpipe` -> words of webbcal.
JWST_NAMES: dict[str, tuple[str, ...]] = {
    "strun": ("run",),
    "asn_from_list": ("asn", "from-list"),
    "asn_generate": ("asn", "generate"),
    "asn_make_pool": ("asn", "make-pool"),
}
