"""``webbcal asn``: make associations."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from webbcal.associations import Association, asn_from_list
from webbcal.core.errors import InputError

USAGE = """\
usage: webbcal asn from-list -o NAME_asn.json [OPTIONS] FILE [FILE ...]

makes an association of files; webbcal asn from-list --help tells more"""


def main(words: Sequence[str]) -> int:
    """Make an association."""
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    if words[0] not in ("from-list", "from_list"):
        print(f"webbcal asn: unknown command {words[0]!r}\n\n{USAGE}", file=sys.stderr)
        return 2
    return from_list(words[1:])


def from_list(words: Sequence[str]) -> int:
    """Make an association of files on the command line."""
    options = _parser().parse_args(list(words))
    association = asn_from_list(
        options.files, rule=options.rule, product_name=options.product_name, acid=options.acid
    )
    for product in association["products"]:
        product["members"] += [{"expname": name, "exptype": kind} for kind, name in options.members]
    association.path = association.save(options.output_file, options.format)
    members = sum(len(product.members) for product in association.products)
    print(f"{options.output_file}: {len(association.products)} products, {members} members")
    _warn_of_missing(association)
    return 0


def _warn_of_missing(association: Association) -> None:
    # An association may be made before its members, so that is no error.
    try:
        association.require_files()
    except InputError as error:
        print(f"webbcal asn: note: {error}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="webbcal asn from-list",
        description="Make an association of files: at level 3 one product of all, at level 2 one of each.",
        epilog="examples: webbcal asn from-list -o l3_asn.json --product-name mosaic *_cal.fits; "
        "webbcal asn from-list -o l2_asn.json -r DMSLevel2bBase *_rate.fits",
    )
    parser.add_argument("-o", "--output-file", required=True, help="association file to write")
    parser.add_argument("-f", "--format", choices=("json", "yaml"), help="default: by the name of the file")
    parser.add_argument("--product-name", help="name of the product, at level 3")
    parser.add_argument(
        "-r", "--rule", default="DMS_Level3_Base", help="rule to follow (default: %(default)s)"
    )
    parser.add_argument(
        "-i", "--id", "--acid", dest="acid", default="o999", help="candidate id, oXXX or cXXXX (%(default)s)"
    )
    parser.add_argument(
        "--member",
        action="append",
        nargs=2,
        default=[],
        metavar=("TYPE", "FILE"),
        dest="members",
        help="member of each product that is not science: background, psf, sourcecat, …",
    )
    parser.add_argument(
        "--background",
        action="append",
        type=lambda name: ["background", name],
        metavar="FILE",
        dest="members",
        help="the same as --member background FILE",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="science members")
    return parser
