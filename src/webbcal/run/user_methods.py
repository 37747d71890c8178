"""Methods that users' own steps call in their `process`, as they are used to from `jwst`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from webbcal.associations import as_level2, as_level3
from webbcal.associations.association import Association
from webbcal.core.suffixes import remove_suffix
from webbcal.run.configuration import crds_parameters, parameters_type
from webbcal.run.step_status import record_step_status


class UserMethods:
    """What a `process` may call beside `open_model`, `save_model` and `get_reference_file`."""

    name: str
    parent: Any
    #: Id of an association, for the names of files (`add_asn_id_to_output_name`).
    asn_id: str | None = None
    _asn_of_names: str | None = None

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
            Whether models are copied; by default if they are the caller's, and the step is not part of a
            pipeline. A library is never copied.
        open_models : bool
            Whether files are opened; if not, their names are returned.
        open_as_type : class, optional
            The class to open as.
        open_as_ramp : bool
            Open as the class of ramps that fits the exposure (if there is no `open_as_type`).
        **kwargs
            For opening.

        Returns
        -------
        DataModel, ModelContainer (of several) or ModelLibrary (which is the one that was given)

        Raises
        ------
        TypeError
            If a copy is asked for of what cannot be copied.
        """
        from webbcal.run.prepared import prepared

        alone = self.parent is None

        def opened(given: Any) -> Any:
            return self.open_model(given, **kwargs)

        return prepared(init, opened, make_copy, open_models, open_as_type, open_as_ramp, alone)

    def add_asn_id_to_output_name(self, models: Any) -> str | None:
        """Let the names of files that this step makes have the id of an association; return it.

        Parameters
        ----------
        models : DataModel, ModelContainer or ModelLibrary
            Several models whose association has an id; else that is the step's ``asn_id``, or its pipeline's.
            If there is none, names have none.
        """
        several = not hasattr(models, "meta")
        table = getattr(models, "asn_table", None) or getattr(models, "asn", {}) if several else {}
        self._asn_of_names = table.get("asn_id") or self.search_attr("asn_id")
        return self._asn_of_names

    @classmethod
    def get_config_reftype(cls) -> str:
        """Return the type of the references that have the step's parameters, as CRDS knows it."""
        return parameters_type(cls)

    @classmethod
    def get_config_from_reference(
        cls, dataset: Any, disable: bool | None = None, crds_observatory: str | None = None
    ) -> dict[str, Any]:
        """Return the parameters that CRDS has for the step and an input; none if there are none.

        Parameters
        ----------
        dataset : path, DataModel, several of them, or mapping
            The input, or its metadata by dotted name.
        disable : bool, optional
            Do not ask; by default as the environment says (STPIPE_DISABLE_CRDS_STEPPARS).
        crds_observatory : str, optional
            "jwst", the only one.
        """
        return crds_parameters(cls, dataset, disable)

    def search_attr(self, attribute: str, default: Any = None, parent_first: bool = False) -> Any:
        """Return the first value that is not None in this step and its parents."""
        raise NotImplementedError

    @staticmethod
    def remove_suffix(name: str) -> tuple[str, str]:
        """Return a name without its suffix, if that is one of the field's, and what parted them."""
        return remove_suffix(name)

    def finalize_result(self, result: Any, reference_files_used: Sequence[tuple[str, str]]) -> None:
        """Change a result before it is saved: a hook for users' steps, which does nothing by itself.

        What was done, and with which references, is recorded without it.
        """

    @staticmethod
    def record_step_status(datamodel: Any, cal_step: str, success: bool = True) -> None:
        """Note in a model, or several, that a step was applied (else: skipped)."""
        record_step_status(datamodel, cal_step, status="COMPLETE" if success else "SKIPPED")
