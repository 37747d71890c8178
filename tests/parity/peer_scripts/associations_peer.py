"""What the peer makes of lists, and whether it takes our associations; cases on stdin, answers on stdout."""

import json
import logging
import sys
import warnings
from pathlib import Path

from jwst.associations import AssociationRegistry, load_asn
from jwst.associations.asn_from_list import Main, asn_from_list
from jwst.associations.load_as_asn import LoadAsLevel2Asn
from jwst.datamodels import ModelContainer, ModelLibrary
from stdatamodels.jwst import datamodels

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
RULES = AssociationRegistry(None, include_bases=True)


def tree(asn):
    """Return an association as plain dicts and lists, valid or not."""
    return json.loads(json.dumps(asn.data, default=lambda member: member.data))


def rules():
    """Return the level (2 or 3) by name of the rules that lists can be made with."""
    levels = {}
    for name in sorted(RULES):
        if name.startswith(("Asn_", "DMS")):
            try:
                asn = asn_from_list(["a_rate.fits", "b_rate.fits"], rule=RULES[name], product_name="p")
            except Exception:
                continue
            levels[name] = (3 if len(asn["products"]) == 1 else 2), tree(asn)
    return levels


def made(items, rule, **kwargs):
    """Return the text of an association of a list."""
    items = [tuple(item) if isinstance(item, list) else item for item in items]
    return json.loads(asn_from_list(items, rule=RULES[rule], **kwargs).dump()[1])


def command(*words):
    """Return the text that the command writes."""
    Main.cli(list(words))
    return Path(words[words.index("-o") + 1]).read_text()


def level2(init):
    """Return what level-2 pipelines are given."""
    return tree(LoadAsLevel2Asn.load(init))


def images(names):
    """Write images that a library can open."""
    for number, name in enumerate(names):
        with datamodels.ImageModel((4, 4)) as model:
            for key in ("program_number", "observation_number", "visit_number", "visit_group"):
                setattr(model.meta.observation, key, "1")
            model.meta.observation.sequence_id = model.meta.observation.activity_id = "1"
            model.meta.observation.exposure_number = str(number)
            model.save(name)


def opened(path):
    """Return the files and roles that a container and a library find by an association."""
    with Path(path).open() as stream:
        load_asn(stream)
    with ModelContainer(path) as container:
        first = [[m.meta.filename, m.meta.asn.exptype] for m in container]
    second = []
    library = ModelLibrary(path, asn_exptypes=["science"])
    with library:
        for model in library:
            second.append([model.meta.filename, model.meta.asn.exptype, model.meta.asn.table_name])
            library.shelve(model, modify=False)
    return first, second, library.asn["products"][0]["name"]


calls = json.load(sys.stdin)
print(json.dumps([globals()[name](*args, **kwargs) for name, args, kwargs in calls]))
