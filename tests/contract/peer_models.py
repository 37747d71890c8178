"""Run by the Python of `stdatamodels`, as a script: write files, and describe files, as a list of jobs says.

Also imported by the tests for `describe`, which uses only what both packages offer.
"""

import hashlib
import json
import sys

import numpy as np


def values_of(array):
    """Return type, shape and a digest of the values of an image; the columns as lists for a table."""
    array = np.asarray(array) if array.dtype.names is None else array
    if array.dtype.names is not None:
        return {
            name: [str(v).rstrip() for v in np.asarray(array[name]).tolist()] for name in array.dtype.names
        }
    native = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="))
    return [native.dtype.name, list(native.shape), hashlib.sha256(native.tobytes()).hexdigest()]


def describe(model, names):
    """Return class, metadata and arrays of a model."""
    flat = {
        key: value
        for key, value in model.to_flat_dict(include_arrays=False).items()
        if key.startswith("meta.")
    }
    arrays = {name: values_of(getattr(model, name)) for name in names if getattr(model, name) is not None}
    return {"class": type(model).__name__, "meta": flat, "arrays": arrays}


def main(job):
    from stdatamodels.jwst import datamodels

    if job["action"] == "write":
        model = getattr(datamodels, job["class"])(
            **{name: np.load(path) for name, path in job["arrays"].items()}
        )
        for key, value in job["meta"].items():
            model[key] = value
        model.save(job["path"])
    with datamodels.open(job["path"]) as model:
        return describe(model, job["names"])


if __name__ == "__main__":
    print(json.dumps([main(job) for job in json.load(sys.stdin)]))
