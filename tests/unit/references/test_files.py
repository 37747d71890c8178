"""Names and digests of reference files."""

import hashlib
import json
import os
from types import SimpleNamespace

import pytest

from webbcal.core.errors import ReferenceFileError
from webbcal.references import files


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_header_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.header_name("/c/references/jwst/nircam/jwst_nircam_gain_0001.fits", "crds") == (
        "crds://jwst_nircam_gain_0001.fits"
    )
    assert files.header_name("../gain.fits", "override") == str(tmp_path.parent / "gain.fits")
    assert files.header_name("N/A", "override") == "N/A"
    assert files.header_name(SimpleNamespace(override_handle="override://GainModel"), "override") == (
        "override://GainModel"
    )


def test_digest_is_that_of_the_content_and_is_remembered(tmp_path, monkeypatch):
    path = tmp_path / "a.fits"
    path.write_bytes(b"one")
    expected = hashlib.sha256(b"one").hexdigest()
    assert files.sha256_of(path) == expected
    monkeypatch.setattr(files.hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    assert files.sha256_of(path) == expected
    link = tmp_path / "b.fits"
    link.symlink_to(path)
    assert files.sha256_of(link) == expected


def test_a_changed_file_is_hashed_again(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(b"one")
    files.sha256_of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert files.sha256_of(path) == hashlib.sha256(b"two").hexdigest()


def test_a_damaged_or_unwritable_cache_does_not_matter(tmp_path, monkeypatch):
    path = tmp_path / "a.fits"
    path.write_bytes(b"one")
    expected = hashlib.sha256(b"one").hexdigest()
    files.cache_file().parent.mkdir(parents=True)
    for content in ("{broken", "[1, 2]"):
        files.cache_file().write_text(content)
        assert files.sha256_of(path) == expected
        files.cache_file().unlink()
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))  # a file where the folder should be
    assert files.sha256_of(path) == expected


def test_the_cache_stays_small_and_leaves_nothing_else_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_MOST", 3)
    for n in range(5):
        (tmp_path / f"{n}").write_bytes(bytes([n]))
        files.sha256_of(tmp_path / f"{n}")
    kept = json.loads(files.cache_file().read_text())
    assert [key.partition("|")[0] for key in kept] == [str(tmp_path / f"{n}") for n in (2, 3, 4)]
    assert [p.name for p in files.cache_file().parent.iterdir()] == ["sha256.json"]


def test_missing_file(tmp_path):
    with pytest.raises(ReferenceFileError, match="nowhere"):
        files.sha256_of(tmp_path / "nowhere.fits")
