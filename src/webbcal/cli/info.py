"""``webbcal info``: describe a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webbcal.run.exposure import meta_value
from webbcal.run.record import runs_of

USAGE = "usage: webbcal info FILE [FILE ...]   [--tree] shows the whole tree of metadata"

_KEYWORDS = {
    "target": "meta.target.catalog_name",
    "instrument": "meta.instrument.name",
    "detector": "meta.instrument.detector",
    "filter": "meta.instrument.filter",
    "pupil": "meta.instrument.pupil",
    "exposure type": "meta.exposure.type",
    "read pattern": "meta.exposure.readpatt",
    "subarray": "meta.subarray.name",
    "integrations": "meta.exposure.nints",
    "groups": "meta.exposure.ngroups",
    "effective exposure time": "meta.exposure.exposure_time",
    "observed": "meta.observation.date",
    "units": "meta.bunit_data",
    "CRDS context": "meta.ref_file.crds.context_used",
}


def main(words: Sequence[str]) -> int:
    """Describe files."""
    from webbcal import datamodels

    files = [w for w in words if not w.startswith("-")]
    if not files:
        print(USAGE)
        return 0 if "--help" in words or "-h" in words else 2
    for path in files:
        with datamodels.open(path) as model:
            print(describe(model, path))
            if "--tree" in words:
                model.info(max_rows=None)
    return 0


def describe(model: Any, path: str) -> str:
    """Return the main facts of a model as text."""
    lines = [f"{path}: {type(model).__name__}"]
    for label, where in _KEYWORDS.items():
        value = meta_value(model, where)
        if value is not None:
            lines.append(f"  {label:24s}{value}")
    lines += ["  arrays:", *_arrays(model)]
    steps = {name: status for name, status in model.meta.cal_step.items() if status}
    if steps:
        lines += ["  steps:", *(f"    {name:22s}{status}" for name, status in steps.items())]
    for run in runs_of(model):
        lines += _record(run)
    return "\n".join(lines)


def _arrays(model: Any) -> list[str]:
    lines = []
    for name in model.schema["properties"]:
        source = model.source(name)
        if hasattr(source, "shape") and source.dtype != object:
            kind = "table" if source.dtype.names else str(source.dtype)
            lines.append(f"    {name:22s}{kind:10s}{' × '.join(map(str, source.shape))}")
    return lines


def _record(run: Any) -> list[str]:
    lines = [f"  run record: {run['software']} {run['version']}, {run['date']}"]
    for step in run["steps"]:
        text = step["status"].lower() if step["status"] == "COMPLETE" else f"skipped: {step['reason']}"
        changed = [
            f"{k} = {v['value']} [{v['origin']}]"
            for k, v in step["parameters"].items()
            if v["origin"] != "default"
        ]
        lines.append(f"    {step['step']:22s}{text}" + (f" ({'; '.join(changed)})" if changed else ""))
    return lines
