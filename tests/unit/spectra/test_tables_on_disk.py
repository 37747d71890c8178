"""Tables of a field's exposures lie on disk until they are read: memory does not grow with their number."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
import spectrum_cases as cases

from webbcal import datamodels
from webbcal.core.errors import OutputError
from webbcal.datamodels.node import plain
from webbcal.io.arrays import in_file
from webbcal.io.records import same_rows
from webbcal.spectra.combine_1d import Combine1dStep
from webbcal.spectra.extract_1d import Extract1dStep
from webbcal.spectra.shelf import Shelf
from webbcal.spectra.source_tables import SourceRow, longest_of


def extracted(exposures):
    return Extract1dStep(override_apcorr="N/A").run([cases.field(k) for k in exposures])


def tables(model):
    return [plain(item)["spec_table"] for item in model.spec]


def test_rows_come_back_as_they_were(tmp_path):
    """Bits of NaN and of large whole numbers included."""
    vectors = {
        "WAVELENGTH": np.linspace(1, 2, 5),
        "FLUX": np.array([np.nan, -0.0, 1e300, np.inf, 5e-324]),
        "DQ": np.array([0, 1, 2**32 - 1, 2**31, 7], np.uint32),
    }
    shelf = Shelf(tmp_path)
    rows = [
        shelf.put(SourceRow({k: v[:n] for k, v in vectors.items()}, {"SOURCE_ID": n})) for n in (5, 0, 3, 1)
    ]
    assert [row.size for row in rows] == [5, 0, 3, 1] and longest_of(rows) == 5
    assert list(tmp_path.iterdir()) == []  # it has no name
    for row in rows:
        found = row.loaded()
        assert found.values == {"SOURCE_ID": row.size}
        for name, values in vectors.items():
            assert found.vectors[name].dtype == values.dtype
            assert found.vectors[name].tobytes() == values[: row.size].tobytes()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"scratch space in .*nowhere cannot be written"):
        Shelf(tmp_path / "nowhere")


def test_nothing_reads_whole_tables_but_who_asks_for_them(tmp_path):
    field = extracted((0, 1))
    Combine1dStep().run(field)
    field.save(tmp_path / "x1d.fits")
    twin = field.copy()
    assert all(map(in_file, tables(field))) and all(map(in_file, tables(twin)))
    source = field.spec[0].source("spec_table")
    rows = field.spec[0].rows("spec_table", 1, 3)
    table = field.spec[0].spec_table
    assert isinstance(tables(field)[0], np.ndarray) and source.shape == table.shape == (3,)
    assert source.dtype == table.dtype and same_rows(rows, table[1:3])
    assert same_rows(field.spec[0].rows("spec_table", 1, 3), rows)  # now of what is in memory
    assert same_rows(pickle.loads(pickle.dumps(source)), table)
    assert in_file(tables(twin)[0]) and same_rows(copy.deepcopy(twin).spec[0].spec_table, table)
    one = source.read(1)
    assert one["SOURCE_ID"] == 7 and one["SOURCE_TYPE"] == "EXTENDED"


def test_combined_of_files_of_memory_and_of_disk_is_the_same(tmp_path):
    field = extracted((0, 1, 2))
    field.save(tmp_path / "x1d.fits")
    of_disk = Combine1dStep().run(field)
    read = datamodels.open(tmp_path / "x1d.fits")
    of_file = Combine1dStep().run(read)
    assert all(map(in_file, tables(read)))
    for item in field.spec:
        assert len(item.spec_table)
    of_memory = Combine1dStep().run(field)
    for others in zip(of_disk.spec, of_file.spec, of_memory.spec, strict=True):
        first, *rest = (item.spec_table for item in others)
        assert all(same_rows(first, other) for other in rest)
        assert all(first.columns[name].unit == rest[0].columns[name].unit for name in first.names)


def test_one_exposure_needs_no_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("WEBBCAL_SCRATCH", str(tmp_path / "nowhere"))
    assert len(Extract1dStep(override_apcorr="N/A").run(cases.field(0)).spec) == 2
    with pytest.raises(OutputError, match="nowhere"):
        extracted((0, 1))


def test_memory_does_not_grow_with_the_number_of_exposures(tmp_path):
    """Tables of 40 sources, 2 orders and 340 wavelengths are 4 MB an exposure."""

    def peak(count):
        models = [cases.field(k, sources=range(1, 41)) for k in range(count)]
        tracemalloc.start()
        field = Extract1dStep(override_apcorr="N/A").run(models)
        field.save(tmp_path / "x1d.fits")
        Combine1dStep().run(field)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(2)
    few, many = peak(2), peak(6)
    assert many - few < 4 * 1e6  # a megabyte an exposure: descriptions of slits, and their entries
