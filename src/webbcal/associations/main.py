"""`Main`: the command line that makes associations from a pool, as scripts for jwst call it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath

from webbcal.associations.association import Association
from webbcal.associations.generator.columns import row_of
from webbcal.associations.generator.exposures import exposures_in, pool_of_exposures
from webbcal.associations.generator.generator import generate
from webbcal.associations.generator.pool import Pool, read_pool
from webbcal.associations.generator.rule_tables import Recipe, read_recipes, recipes
from webbcal.core.errors import OutputError, ParameterError
from webbcal.core.suffixes import remove_suffix

_POOLS = (".csv", ".txt", ".pool", ".tab", ".dat")


class Main:
    """Make associations, and write them.

    Parameters
    ----------
    args : sequence of str or str, optional
        The words of the command line; those of the process by default.
    pool : Pool, optional
        The exposures, if they are not on the command line.

    Attributes
    ----------
    pool : Pool
        The exposures.
    rules : dict
        The rules by name.
    associations : list of Association
        What was made.

    Raises
    ------
    InputError
        If the pool, an exposure or a file of rules cannot be read.
    ParameterError
        If options contradict each other, or a candidate is not known.
    """

    def __init__(self, args: Sequence[str] | str | None = None, pool: Pool | None = None) -> None:
        words = args.split() if isinstance(args, str) else args
        self.parsed = command_line(pool is None).parse_args(words)
        self.rules = _rules(self.parsed.rules or [], self.parsed.ignore_default)
        self.pool = _pool(self.parsed.inputs, self.parsed.delimiter) if pool is None else pool
        self.associations: list[Association] = []

    def generate(self) -> None:
        """Make the associations."""
        given = self.parsed
        chosen = given.asn_candidate_ids is not None or given.discover or given.all_candidates
        ids = given.asn_candidate_ids
        self.associations = generate(
            self.pool,
            self.rules,
            ids=with_backgrounds(self.pool, ids) if ids and given.for_operations else ids,
            all_candidates=given.all_candidates or not chosen,
            discover=given.discover or not chosen,
            version_id=_stamp() if given.version_id is True else given.version_id,
            merge=given.merge,
        )
        if ids and given.for_operations:
            self.associations = [made for made in self.associations if made.asn_id in ids]

    def save(self) -> list[Path]:
        """Write them, and what belongs to none if asked for; return the files of associations.

        Raises
        ------
        OutputError
            If the folder cannot be made, or a file not be written.
        """
        given = self.parsed
        if given.dry_run:
            return []
        folder, saved = Path(given.path), []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror}); give another with -p") from error
        for association in self.associations:
            association.path = folder / f"{association.asn_name}.{given.format}"
            saved.append(association.save(association.path, given.format))
        if given.save_orphans:
            self.orphaned.write(folder / given.save_orphans, given.delimiter)
        return saved

    @property
    def orphaned(self) -> Pool:
        """The exposures that are in no association."""
        return orphans(self.pool, self.associations)

    @classmethod
    def cli(cls, args: Sequence[str] | str | None = None, pool: Pool | None = None) -> Main:
        """Make and write associations; return what has done it."""
        made = cls(args, pool)
        made.generate()
        made.save()
        return made


def orphans(pool: Pool, associations: Iterable[Association]) -> Pool:
    """Return the exposures of a pool of which no association has a file as member."""
    used = {
        _root(member["expname"])
        for association in associations
        for product in association["products"]
        for member in product["members"]
    }
    return Pool(tuple(row for row in pool.rows if _root(row["filename"]) not in used), pool.name)


def with_backgrounds(pool: Pool, ids: Sequence[str]) -> list[str]:
    """Return candidates and the background candidates that share exposures with them."""
    rows = [row_of(index, raw).candidates for index, raw in enumerate(pool.rows)]
    backgrounds = (
        candidate.id
        for listed in rows
        if any(candidate.id in ids for candidate in listed)
        for candidate in listed
        if candidate.type == "background"
    )
    return list(dict.fromkeys([*ids, *backgrounds]))


def _root(name: str) -> str:
    return remove_suffix(PurePath(name).stem)[0]


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dt%H%M%S")


def _rules(files: Sequence[str], ignore_default: bool) -> dict[str, Recipe]:
    if ignore_default and not files:
        raise ParameterError("--ignore-default leaves no rules; give some with -r FILE.toml")
    rules = {} if ignore_default else dict(recipes())
    for file in files:
        rules |= read_recipes(file)
    return rules


def _pool(inputs: Sequence[str], delimiter: str) -> Pool:
    if len(inputs) == 1 and inputs[0].lower().endswith(_POOLS):
        return read_pool(inputs[0], delimiter)
    return pool_of_exposures(exposures_in(inputs))


def command_line(with_inputs: bool = True) -> argparse.ArgumentParser:
    """Return what reads the words of ``webbcal asn generate``."""
    parser = argparse.ArgumentParser(
        prog="webbcal asn generate",
        description="Make associations of levels 2 and 3 from a pool, or from the headers of exposures.",
        epilog="examples: webbcal asn generate jw01234_20260101t000000_pool.csv; "
        "webbcal asn generate folder_with_rates -p associations; webbcal asn generate pool.csv -i o001 c1000",
    )
    if with_inputs:
        parser.add_argument(
            "inputs",
            nargs="+",
            metavar="POOL|FILE|FOLDER",
            help="a pool (.csv), or exposures and folders of such",
        )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "-i",
        "--ids",
        nargs="+",
        dest="asn_candidate_ids",
        metavar="ID",
        help="only these candidates: o001 c1000",
    )
    which.add_argument(
        "--discover", action="store_true", help="only what belongs together without a candidate"
    )
    which.add_argument("--all-candidates", action="store_true", help="only those of candidates")
    parser.add_argument(
        "-p", "--path", default=".", help="folder to write to; made if it is not there (default: %(default)s)"
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    parser.add_argument(
        "-v", "--verbose", "-D", "--debug", action="store_true", dest="verbose", help="list members, too"
    )
    _add_rules(parser)
    _add_files(parser)
    return parser


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-r", "--rules", action="append", metavar="FILE", help="further rules, a table in TOML"
    )
    parser.add_argument("--ignore-default", action="store_true", help="only the rules of -r")
    parser.add_argument(
        "--merge", action="store_true", help="one association of level 2 for each candidate and type"
    )
    parser.add_argument("--no-merge", action="store_true", help="the default, as in jwst")
    parser.add_argument(
        "--DMS",
        action="store_true",
        dest="for_operations",
        help="with -i: look at background candidates, too",
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--save-orphans",
        nargs="?",
        const="orphaned.csv",
        metavar="NAME",
        help="write the exposures that are in no association to a pool (%(const)s)",
    )
    parser.add_argument(
        "--version-id",
        nargs="?",
        const=True,
        metavar="ID",
        help="goes into names; the time, if it has no value",
    )
    parser.add_argument(
        "-d", "--delimiter", default="|", help="between columns of pools (default: %(default)s)"
    )
    parser.add_argument("--format", choices=("json", "yaml"), default="json", help="of associations")
