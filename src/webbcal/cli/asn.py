"""``webbcal asn``: make associations."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from webbcal.associations import Association
from webbcal.associations.asn_from_list import Main
from webbcal.core.errors import InputError
from webbcal.core.wording import dashed

USAGE = """\
usage: webbcal asn from-list -o NAME_asn.json [OPTIONS] FILE [FILE ...]
       webbcal asn generate [OPTIONS] POOL | FILE ... | FOLDER ...
       webbcal asn make-pool [OPTIONS] POOL FILE|FOLDER [FILE|FOLDER ...]

from-list makes an association of files, generate those of a pool or of the exposures that are there, by the
rules of operations; make-pool writes a pool of exposures. Each with --help tells more"""


def main(words: Sequence[str]) -> int:
    """Make an association."""
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    command = COMMANDS.get(words[0].replace("_", "-"))
    if command is None:
        print(f"webbcal asn: unknown command {words[0]!r}\n\n{USAGE}", file=sys.stderr)
        return 2
    return command(words[1:])


def from_list(words: Sequence[str]) -> int:
    """Make an association of files on the command line."""
    made = Main.cli([dashed(word) if word.startswith("--") else word for word in words])
    association = made.asn
    members = sum(len(product.members) for product in association.products)
    print(f"{made.parsed.output_file}: {len(association.products)} products, {members} members")
    _warn_of_missing(association)
    return 0


def generate(words: Sequence[str]) -> int:
    """Make the associations of a pool, or of exposures."""
    from webbcal.associations.main import Main as Generator

    made = Generator.cli(list(words))
    for association in made.associations:
        products = "; ".join(
            f"{product.name} ({len(product.members)} members)" for product in association.products
        )
        print(f"{association.asn_name}.{made.parsed.format}  {association.asn_rule}  {products}")
        if made.parsed.verbose:
            _print_members(association)
    unused = len(made.orphaned)
    print(
        f"{len(made.associations)} associations of {len(made.pool)} exposures; {unused} are in none"
        + ("; nothing was written (--dry-run)" if made.parsed.dry_run else "")
    )
    return 0


def _print_members(association: Association) -> None:
    for product in association.products:
        for member in product.members:
            print(f"    {member.exptype:20s}{member.expname}")


def make_pool(words: Sequence[str]) -> int:
    """Write a pool of exposures."""
    from webbcal.associations.generator.exposures import exposures_in
    from webbcal.associations.mkpool import mkpool

    given = vars(_pool_command_line().parse_args(list(words)))
    path, places = given.pop("pool"), given.pop("data")
    pool = mkpool(exposures_in(places), **given)
    pool.write(path)
    print(f"{path}: {len(pool)} exposures")
    return 0


def _pool_command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="webbcal asn make-pool", description="Write a pool of exposures, from their headers."
    )
    parser.add_argument("pool", help="pool to write (.csv)")
    parser.add_argument("data", nargs="+", metavar="FILE|FOLDER", help="exposures, and folders of such")
    parser.add_argument(
        "--asn-candidate", metavar="LIST", help="further candidates of all: \"[('c1000', 'background')]\""
    )
    parser.add_argument("--dms-note", default="", help="note of operations")
    parser.add_argument("--is-imprt", metavar="T", help="t: they are imprints (default: as headers say)")
    parser.add_argument("--pntgtype", default="science", help="what was pointed for (%(default)s)")
    return parser


def _warn_of_missing(association: Association) -> None:
    # An association may be made before its members, so that is no error.
    try:
        association.require_files()
    except InputError as error:
        print(f"webbcal asn: note: {error}", file=sys.stderr)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "from-list": from_list,
    "generate": generate,
    "make-pool": make_pool,
}
