"""Associations from pools: ours are the peer's, of the peer's own test pools and of what is made of those."""

import json
import random

import pytest
import rare_pool
from peer_process import Script, needs_peer

from webbcal.associations import pool_of, read_pool
from webbcal.associations.main import Main

pytestmark = [needs_peer, pytest.mark.xdist_group("pools_peer")]

#: Imaging, time series, coronagraphy, spectra; how the other pools compare is in docs/associations.md.
POOLS = [
    "pool_002_image_miri",
    "pool_003_image_nircam",
    "pool_005_spec_niriss",
    "pool_006_spec_nirspec",
    "pool_007_spec_miri",
    "pool_010_spec_nirspec_lv2bkg",
    "pool_017_spec_nirspec_lv2imprint",
    "pool_021_tso",
    "pool_023_nirspec_msa_3nod",
    "pool_023b_nirspec_msa_3nod_subpix",
    "pool_024b_nirspec_fss_nods",
    "pool_025_nirspec_fss_nod_chop",
    "pool_033_wfs_jitter",
]
RUNS = {name: (name, []) for name in POOLS} | {
    "some": ("pool_025_nirspec_fss_nod_chop", ["-i", "c1000", "o001"]),
    "discovered": ("pool_002_image_miri", ["--discover"]),
    "candidates": ("pool_002_image_miri", ["--all-candidates"]),
    "merged": ("pool_002_image_miri", ["--merge", "--version-id", "v1"]),
    "operations": ("pool_025_nirspec_fss_nod_chop", ["-i", "o001", "--DMS"]),
}
#: Pools in which rows and what they say are in disorder.
MIXED = {f"mixed_{seed}": (f"mixed_{seed}", []) for seed in range(8)}


def ask(where, runs):
    """Let the peer make associations of pools."""
    words = json.dumps([(name, *run) for name, run in runs.items()])
    print(Script("pools_peer.py", where, given=words, folder=where).finish())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("pools")
    ask(where, RUNS)
    return where


@pytest.fixture(scope="module")
def mixed(folder):
    for seed, name in enumerate(MIXED):
        rows = read_pool(folder / f"{POOLS[seed]}.csv").rows
        pool_of(disorder([row for row in rows if row["program"] != "program"], seed)).write(
            folder / f"{name}.csv"
        )
    pool_of(rare_pool.rows()).write(folder / "rare.csv")
    ask(folder, {**MIXED, "rare": ("rare", [])})
    return folder


def disorder(rows, seed):
    """Return some rows in another order, with other backgrounds, stars, imprints, targets and candidates."""
    chance = random.Random(seed)
    rows = [dict(row) for row in chance.sample(rows, min(len(rows), 12))]
    group = chance.choice(["background", "group", "mosaic"])
    for number, row in enumerate(rows):
        for column in ("bkgdtarg", "is_psf", "is_imprt"):
            row[column] = chance.choice("tffff")
        for column, others in (("detector", rows), ("targetid", rows), ("filter", rows)):
            if chance.random() < 0.2:
                row[column] = chance.choice(others)[column]
        row["filename"], row["obs_num"] = f"jw_{number:05d}_uncal.fits", chance.choice("112")
        candidates = [(f"o00{row['obs_num']}", "observation"), ("c1000", group)]
        row["asn_candidate"] = str(candidates[: chance.randint(1, 2)])
    return rows


def compare(folder, name, pool, options):
    theirs = dict(json.loads((folder / f"{name}.json").read_text())["associations"])
    made = Main.cli(["--dry-run", *options], read_pool(folder / f"{pool}.csv"))
    ours = {association.asn_name: association.data for association in made.associations}
    assert list(ours) == list(theirs)  # names of files, in order
    for asn_name, tree in theirs.items():
        for key in ("code_version", "constraints"):  # of the software; in words of its own
            tree.pop(key), ours[asn_name].pop(key)
        assert ours[asn_name] == tree, asn_name
    return [tree["asn_rule"].partition("_")[2] for tree in theirs.values()]


@pytest.mark.parametrize("name", RUNS)
def test_associations_of_a_pool_are_the_peers(folder, name):
    assert compare(folder, name, *RUNS[name])


def test_associations_of_pools_in_disorder_are_the_peers(mixed):
    made = [rule for name, run in MIXED.items() for rule in compare(mixed, name, *run)]
    assert len(made) > 60


def test_associations_of_rare_rules_are_the_peers(mixed):
    assert set(compare(mixed, "rare", "rare", [])) >= rare_pool.RULES
