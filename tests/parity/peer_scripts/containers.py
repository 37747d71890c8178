"""What containers of models answer, of jwst or webbcal (argument), in an empty folder; JSON on stdout."""

import importlib
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
dm = importlib.import_module(f"{sys.argv[1]}.datamodels")
ModelContainer, ModelLibrary = dm.ModelContainer, dm.ModelLibrary
KEYS = {
    "program_number": "01234",
    "observation_number": "001",
    "visit_number": "001",
    "visit_group": "02",
    "sequence_id": "1",
    "activity_id": "01",
}
TOLD = ("BorrowError", "ClosedLibraryError", "FileNotFoundError", "IndexError", "TypeError", "ValueError")


def image(number, detector):
    model = dm.ImageModel(np.full((4, 5), number, "f4"))
    for name, value in {**KEYS, "exposure_number": f"{number:05d}"}.items():
        setattr(model.meta.observation, name, value)
    model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", detector
    model.meta.filename = f"jw0_{number}_{detector.lower()}_cal.fits"
    return model


def write():
    """Write an association of three exposures; return what is in it."""
    more = [{"tweakreg_catalog": "a.ecsv"}, {"group_id": "mine"}, {"tweakreg_catalog": ""}]
    members = []
    for number, detector, extra in zip((1, 1, 2), ("NRCA1", "NRCA2", "NRCA1"), more, strict=True):
        model = image(number, detector)
        model.save(model.meta.filename)
        members.append({"expname": model.meta.filename, "exptype": "science", **extra})
    members[2]["exptype"] = "background"
    tree = {"asn_id": "a3001", "asn_pool": "pool", "asn_rule": "DMS_Level3_Base", "asn_type": "image3"}
    tree |= {"program": "1", "target": "t", "products": [{"name": "x", "members": members}]}
    with Path("x_asn.json").open("w") as file:
        json.dump(tree, file)
    return tree


def told(model):
    asn = model.meta.asn
    own = [getattr(model.meta, name, None) for name in ("group_id", "tweakreg_catalog")]
    return [model.meta.filename, asn.exptype, asn.table_name, asn.pool_name, *own]


def of_container(tree):
    c = dm.open("x_asn.json")
    names = [member["expname"] for member in tree["products"][0]["members"]]
    yield lambda: [type(c).__name__, [told(model) for model in c]]
    yield lambda: [c.asn_table_name, c.asn_pool_name, str(c.asn_file_path), len(c), c.asn_table["asn_id"]]
    yield lambda: [[m.meta.filename for m in group] for group in c.models_grouped]
    yield lambda: [list(c.group_names), c.ind_asn_type("science"), c.ind_asn_type("background")]
    yield lambda: [[m.meta.filename for m in c[:2]], c[-1].meta.filename]
    yield lambda: c[7]
    yield lambda: [told(m) for m in ModelContainer("x_asn.json", asn_exptypes=["science"], asn_n_members=1)]
    yield lambda: [m.meta.tweakreg_catalog for m in dm.open(tree)]
    yield lambda: [[told(m) for m in dm.open(names)], dm.open(names).asn_table_name, dm.open(names).asn_table]
    yield lambda: [len(ModelContainer()), ModelContainer().asn_table, ModelContainer().asn_table_name]
    yield lambda: [[told(m) for m in c.copy()], c.copy()[0] is c[0], c.copy().asn_table_name]
    yield lambda: ModelContainer(c).asn_table_name
    yield lambda: [c.save(), c.save("p"), c.save("q.fits"), ModelContainer([c[0]]).save("r.fits")]
    for wrong in (["gone.fits"], (1, 2), None):
        yield lambda wrong=wrong: dm.open(wrong)
    for wrong in (3, [1, 2]):
        yield lambda wrong=wrong: ModelContainer(wrong)


def of_library(tree):
    library = ModelLibrary("x_asn.json")

    def lent(work):
        made = ModelLibrary("x_asn.json")
        with made:
            return work(made)

    def given_back(made):
        model = made.borrow(0)
        made.shelve(model, 0, modify=False)
        return told(model)

    yield lambda: json.loads(json.dumps(library.asn, default=lambda v: dict(v) if hasattr(v, "keys") else v))
    yield lambda: [library.group_indices, library.exptypes, library.indices_for_exptype("SCIENCE")]
    yield lambda: [sorted(library.group_names), library.asn_dir, library.on_disk, len(library)]
    yield lambda: lent(given_back)
    yield lambda: library.borrow(0)
    yield lambda: lent(lambda made: [made.borrow(0), made.borrow(0)])
    yield lambda: lent(lambda made: made.borrow(0).meta.filename)
    yield lambda: lent(lambda made: made.shelve(image(1, "NRCA1")))
    yield lambda: lent(lambda made: made.shelve(image(1, "NRCA1"), 1))
    yield lambda: list(library.map_function(lambda m, k: (k, float(m.data.mean())), modify=False))
    yield lambda: library.read_metadata(1)["meta.group_id"]
    yield lambda: list(ModelLibrary("x_asn.json", on_disk=True).map_function(lambda m, k: told(m)[0]))
    yield lambda: sorted(ModelLibrary([image(1, "NRCA1"), image(2, "NRCA1")]).group_names)
    yield lambda: sorted(ModelLibrary([dm.ImageModel((2, 2)), dm.ImageModel((2, 2))]).group_names)
    for options in ({"asn_exptypes": "SCIENCE"}, {"asn_exptypes": ["background"]}, {"asn_n_members": 2}):
        yield lambda options=options: len(ModelLibrary("x_asn.json", **options))
    yield lambda: ModelLibrary(tree).asn_dir
    for wrong in (3, library, "gone_asn.json"):
        yield lambda wrong=wrong: ModelLibrary(wrong)


def answer(question):
    try:
        return question()
    except Exception as error:
        kinds = {cls.__name__ for cls in type(error).__mro__}
        return next((kind for kind in TOLD if kind in kinds), type(error).__name__)


if __name__ == "__main__":
    tree = write()
    print(json.dumps([[answer(q) for q in questions(tree)] for questions in (of_container, of_library)]))
