"""Methods that users' own steps call in their `process`, as they are used to from `jwst`."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from webbcal.associations import as_level2, as_level3
from webbcal.associations.association import Association
from webbcal.run.run import current


class UserMethods:
    """What a `process` may call beside `open_model`, `save_model` and `get_reference_file`."""

    name: str
    parent: Any

    def located(self, init: Any) -> Any:
        """Return an input with `input_dir` before file names without a folder."""
        raise NotImplementedError

    def open_model(self, init: Any, **kwargs: Any) -> Any:
        """Open an input."""
        raise NotImplementedError

    @property
    def qualified_name(self) -> str:
        """Names of the pipeline and of the step, with a point between them."""
        return self.name if self.parent is None else f"{self.parent.qualified_name}.{self.name}"

    @property
    def log(self) -> logging.Logger:
        """The step's logger."""
        return logging.getLogger(f"stpipe.{self.qualified_name}")

    def make_input_path(self, file_path: Any) -> Any:
        """Return an input with `input_dir` before file names without a folder; models pass."""
        return self.located(file_path)

    def load_as_level2_asn(self, obj: Any) -> Association:
        """Return an exposure, a list or an association as an association of level 2."""
        return as_level2(self.located(obj))

    def load_as_level3_asn(self, obj: Any) -> Association:
        """Return exposures or an association as an association of level 3."""
        return as_level3(self.located(obj))

    def prepare_output(
        self,
        init: Any,
        make_copy: bool | None = None,
        open_models: bool = True,
        open_as_type: Any = None,
        open_as_ramp: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the input as what may be changed: opened if it is a file, copied if it is the caller's.

        Parameters
        ----------
        init : path, DataModel, or list of these
        make_copy : bool, optional
            Whether models are copied; by default if they are, and the step is not part of a pipeline's run.
        open_models : bool
            Whether files are opened; if not, their names are returned.
        open_as_type : class, optional
            The class to open as.
        open_as_ramp : bool
            Open as `RampModel` (if there is no `open_as_type`).
        **kwargs
            For opening.
        """
        from webbcal import datamodels

        if isinstance(init, (list, tuple)):
            return [
                self.prepare_output(each, make_copy, open_models, open_as_type, open_as_ramp, **kwargs)
                for each in init
            ]
        kind = open_as_type or (datamodels.RampModel if open_as_ramp else None)
        is_file = isinstance(init, (str, os.PathLike))
        if is_file and not open_models:
            return init
        model = self.open_model(init, **kwargs)
        if kind is not None and type(model) is not kind:
            model = kind(model)
        run = current()
        alone = run is None or not run.is_part
        copies = (alone and not is_file) if make_copy is None else make_copy
        return model.copy() if copies else model

    def finalize_result(self, result: Any, reference_files_used: Sequence[tuple[str, str]]) -> None:
        """Change a result before it is saved: a hook for users' steps, which does nothing by itself.

        What was done, and with which references, is recorded without it.
        """

    @staticmethod
    def record_step_status(datamodel: Any, cal_step: str, success: bool = True) -> None:
        """Note in a model, or several, that a step was applied (else: skipped)."""
        record_step_status(datamodel, cal_step, success)


def record_step_status(datamodel: Any, cal_step: str, success: bool = True) -> None:
    """Note in a model, or several, that a step was applied (else: skipped)."""
    for model in [datamodel] if hasattr(datamodel, "meta") else datamodel:
        setattr(model.meta.cal_step, cal_step, "COMPLETE" if success else "SKIPPED")
