"""From exposures, raw or calibrated, to their mosaic: the three stages one after another."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webbcal.associations import asn_from_list
from webbcal.core.errors import ParameterError
from webbcal.pipeline.detector1 import Detector1Pipeline
from webbcal.pipeline.image2 import Image2Pipeline
from webbcal.pipeline.image3 import Image3Pipeline
from webbcal.pipeline.mosaic_input import Given, check_together, look_at
from webbcal.run.configuration import build_step
from webbcal.run.parameters import suggestion
from webbcal.run.pipeline import Pipeline
from webbcal.run.planning import StepPlan
from webbcal.run.progress import Progress
from webbcal.run.run import Run

log = logging.getLogger(__name__)

_PIPELINES: Mapping[str, type[Pipeline]] = {
    "detector1": Detector1Pipeline,
    "image2": Image2Pipeline,
    "image3": Image3Pipeline,
}
#: Parameters that are the whole's to choose: each stage must find what the one before it made.
_OWN = (
    "output_dir", "output_file", "output_ext", "suffix", "save_results", "input_dir", "skip",
    "threads", "max_memory",
)  # fmt: skip
_ORIGIN = "mosaic"


@dataclass
class Mosaic:
    """What `make_mosaic` made.

    Attributes
    ----------
    association : Path
        The level-3 association that it wrote.
    calibrated : list of Path
        Its members, in the order of the files given.
    mosaic : Path or None
        The mosaic (`_i2d`); None if resampling was skipped.
    files : list of Path
        All products of all stages, in the order in which they were written.
    steps : list of StepPlan
        What each step did, all stages and exposures.
    """

    association: Path
    calibrated: list[Path] = field(default_factory=list)
    mosaic: Path | None = None
    files: list[Path] = field(default_factory=list)
    steps: list[StepPlan] = field(default_factory=list)


def make_mosaic(
    files: Iterable[str | os.PathLike[str]],
    product_name: str,
    output_dir: str | os.PathLike[str] = "",
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    disable_crds: bool = False,
    tell: Callable[[str], None] = log.info,
    *,
    threads: int | None = None,
    max_memory: str | None = None,
    progress: Progress | None = None,
) -> Mosaic:
    """Bring exposures to `_cal`, associate them, and combine them.

    Raw exposures pass calwebb_detector1 and calwebb_image2 (without its quick-look mosaic), rates the latter.
    All input is looked at before anything is done.

    Parameters
    ----------
    files : iterable of path
        Raw (`_uncal`), `_rate` and `_cal` exposures, in any mixture.
    product_name : str
        Root of the names of the association, the mosaic and its catalogue.
    output_dir : path
        Folder of all products.
    parameters : mapping, optional
        ``{"detector1": {"jump": {"rejection_threshold": 5}}, "image2": …, "image3": …}``; a stage's
        ``config_file`` is its parameter file.
    disable_crds : bool
        Do not ask CRDS for parameters.
    tell : callable
        Is told what is being done, a line at a time.
    threads : int, optional
        Threads that work at once; by default all processors.
    max_memory : str, optional
        Most memory of the process, such as ``"1GB"``; by default what is free.
    progress : Progress, optional
        Where to show how far the work is.

    Raises
    ------
    InputError
        If a file is no exposure of a mosaic, or they do not go together.
    ParameterError
        For an unknown parameter or a value that is not allowed.
    """
    limits = {"threads": threads, "max_memory": max_memory}
    chain = _Chain(Path(output_dir), dict(parameters or {}), disable_crds, product_name, limits, progress)
    given = [look_at(Path(file)) for file in files]
    check_together(given, product_name)
    chain.check(given)
    for number, exposure in enumerate(given, start=1):
        chain.calibrate(exposure, lambda text, n=number: tell(f"{n}/{len(given)} {text}"))  # type: ignore[misc]
    tell(f"calwebb_image3: {product_name} of {len(given)} exposures")
    chain.combine(product_name)
    return chain.made


class _Chain:
    """The stages with their parameters, and what they have made."""

    def __init__(
        self,
        folder: Path,
        parameters: dict[str, Any],
        disable_crds: bool,
        product_name: str,
        limits: Mapping[str, Any],
        progress: Progress | None,
    ) -> None:
        self.limits, self.progress = limits, progress
        self.folder, self.parameters, self.disable_crds = folder, parameters, disable_crds
        self.made = Mosaic(folder / f"{product_name}_asn.json")
        _check_parameters(parameters)
        for stage in _PIPELINES:  # what is wrong with parameters shows before any work
            self.pipeline(stage, None).check_output_folder()

    def pipeline(self, stage: str, init: Path | None) -> Any:
        """Make the pipeline of a stage, with all layers of parameters for an input."""
        words = self.parameters.get(stage, {})
        made: Any = build_step(_PIPELINES[stage], init, disable_crds=self.disable_crds, **words)
        made.set_parameter("save_results", True, _ORIGIN)
        made.set_parameter("output_dir", str(self.folder), _ORIGIN)
        for name, value in self.limits.items():
            made.set_parameter(name, value, _ORIGIN)
        if stage == "image2" and not made.resample.origin("skip").startswith(("user", "file")):
            made.resample.set_parameter("skip", True, _ORIGIN)
        return made

    def check(self, given: Sequence[Given]) -> None:
        """Plan the next stage of each exposure, as far as there is one: plans refuse what cannot be."""
        for exposure in given:
            for stage, _ in exposure.remaining[:1]:
                self.pipeline(stage, exposure.path).plan(str(exposure.path))
        if not any(exposure.remaining for exposure in given):
            self.pipeline("image3", None).plan([str(exposure.path) for exposure in given])

    def run(self, stage: str, init: Path) -> Run:
        """Run a stage and note what it made."""
        run: Run = self.pipeline(stage, init).start(str(init), progress=self.progress)
        self.made.files += map(Path, run.saved)
        self.made.steps += run.done
        return run

    def calibrate(self, exposure: Given, tell: Callable[[str], None]) -> None:
        """Bring an exposure to `_cal`."""
        path = exposure.path
        for stage, suffix in exposure.remaining:
            tell(f"{path.name}: calwebb_{stage}")
            self.run(stage, path)
            path = self.folder / f"{exposure.root}_{suffix}.fits"
        self.made.calibrated.append(path)

    def combine(self, product_name: str) -> None:
        """Write the association and make its product."""
        members = [_as_member(path, self.folder) for path in self.made.calibrated]
        association = asn_from_list(members, product_name=product_name)
        self.made.association = association.save(self.made.association)
        run = self.run("image3", self.made.association)
        made = run.result
        resampled = hasattr(made, "meta") and made.meta.cal_step.resample == "COMPLETE"
        self.made.mosaic = self.folder / made.meta.filename if resampled else None


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    """Refuse stages that there are not, and parameters that are not the stages' own."""
    for stage, words in parameters.items():
        if stage not in _PIPELINES or not isinstance(words, Mapping):
            raise ParameterError(
                f"{stage!r} is no parameter of a mosaic{suggestion(stage, _PIPELINES)}; those of its "
                "stages are given as detector1.STEP.PARAMETER, image2.… and image3.…"
            )
        for name in _OWN:
            if name in words:
                raise ParameterError(
                    f"{stage}.{name} cannot be set: the mosaic's stages follow one another in one folder "
                    "(output_dir); run them one at a time to name products yourself"
                )


def _as_member(path: Path, folder: Path) -> str:
    """Return how an association in a folder names a file: relative to it if the file lies there."""
    absolute, folder = path.resolve(), folder.resolve()
    return str(absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute)
