"""What the peer makes of pools: a folder on the command line, on stdin (name, pool, options) of runs.

A pool is one of the folder, or one of the peer's own test pools; that is written to the folder, all its
templates filled in. What was made goes to NAME.json.
"""

import json
import logging
import sys
import time
import warnings
from pathlib import Path

import jwst.associations.tests
from jwst.associations import AssociationPool
from jwst.associations.main import Main
from jwst.associations.tests.helpers import combine_pools

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
DATA = Path(jwst.associations.tests.__file__).parent / "data"


def plain(association):
    """Return an association as plain dicts and lists."""
    return json.loads(json.dumps(association.data, default=lambda member: member.data))


folder = Path(sys.argv[1])
for name, pool_name, options in json.load(sys.stdin):
    path = folder / f"{pool_name}.csv"
    if not path.exists():
        combine_pools(str(DATA / path.name)).write(path, delimiter="|", format="ascii")
    pool = AssociationPool.read(path)
    pool.meta["pool_file"] = path.name
    start = time.process_time()
    made = Main.cli(["--dry-run", *options], pool=pool).associations
    seconds = time.process_time() - start
    answer = {
        "seconds": seconds,
        "associations": [[a.asn_name, plain(a)] for a in made],
    }
    (folder / f"{name}.json").write_text(json.dumps(answer))
    print(f"{name}: {len(pool)} exposures, {len(made)} associations, {seconds:.1f} s", flush=True)
