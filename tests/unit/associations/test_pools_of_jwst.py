"""Pools and associations of them by the names of `jwst.associations`."""

import numpy as np
import pytest
from pool_cases import exposure

import webbcal
from webbcal.core.errors import InputError


@pytest.fixture
def associations():
    """Return the module that scripts import."""
    with webbcal.as_jwst():
        import jwst.associations as module

        yield module


def write_pool(path):
    """Write a pool of exposures of one field in two observations."""
    rows = [exposure(n, obs_num=str(n)) for n in (1, 2)]
    lines = [row.keys() for row in rows[:1]] + [row.values() for row in rows]
    path.write_text("\n".join("|".join(line) for line in lines) + "\n")
    return path


def test_a_pool_is_a_table_that_comes_back(associations, tmp_path):
    pool = associations.AssociationPool.read(write_pool(tmp_path / "a_pool.csv"))
    assert len(pool) == 2 and pool.colnames[0] == "filename"
    assert pool["exp_type"][0] == "mir_image" and np.all(pool["program"] == "1234")
    pool.write(tmp_path / "again.csv")
    again = associations.AssociationPool.read(tmp_path / "again.csv")
    assert [list(row) for row in again] == [list(row) for row in pool]
    assert associations.AssociationPool().meta["pool_file"] == "in-memory"


def test_what_belongs_together_is_found(associations, tmp_path):
    pool = associations.AssociationPool.read(write_pool(tmp_path / "a_pool.csv"))
    rules = associations.AssociationRegistry()
    (made,) = [asn for asn in associations.generate(pool, rules) if asn["asn_type"] == "image3"]
    assert made["asn_rule"] == "Asn_Lv3Image" and made["asn_pool"] == "a_pool.csv"
    names = [member["expname"] for member in made["products"][0]["members"]]
    assert sorted(names) == [f"jw01234001001_02101_0000{n}_mirimage_cal.fits" for n in (1, 2)]
    assert not associations.generate(pool, ["Asn_Lv3TSO"])
    stamped = associations.generate(pool, rules, version_id="v1")
    assert all("_v1_" in asn.asn_name for asn in stamped)


def test_what_is_no_pool_is_refused(associations, tmp_path):
    (tmp_path / "none.csv").write_text("a|b\n1|2\n")
    with pytest.raises(InputError, match="has no column 'filename'"):
        associations.AssociationPool.read(tmp_path / "none.csv")
    with pytest.raises(associations.AssociationError):
        associations.AssociationRegistry(include_default=False)
