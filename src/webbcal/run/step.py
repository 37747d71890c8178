"""Steps: the public face that the field knows.

`Step` holds parameters (with the origin of each value), finds references, names output files and runs hooks.
It holds nothing of a run: that is in a `Run`, made by `Step.start` and handed down to `Step.work`. So one
step can run many times, on several threads, and be pickled.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

from webbcal.associations.containers import is_container, models_of
from webbcal.core.errors import MissingReferenceError, OutputError, ParameterError
from webbcal.core.leftovers import sweep
from webbcal.core.provided import provided
from webbcal.core.resources import Resources
from webbcal.run import configuration, hooks, logcfg, naming, record
from webbcal.run.circumstances import described_inputs
from webbcal.run.parametrised import Parametrised
from webbcal.run.planning import OpaquePlan, StepPlan, crds_context, find_references, opaque
from webbcal.run.progress import Progress, Silent
from webbcal.run.run import Run, current
from webbcal.run.user_methods import UserMethods

log = logging.getLogger(__name__)


class Step(Parametrised, UserMethods):
    """A calibration step: parameters, references, and `process`, a function from model to model.

    Parameters
    ----------
    name : str, optional
        Name of this step; its lower-case form is the default suffix of its products.
    parent : Step, optional
        The pipeline that this step belongs to.
    config_file : path, optional
        Where its parameters came from.
    **parameters
        Values of parameters.

    Raises
    ------
    ParameterError
        For an unknown parameter or a value out of bounds.
    """

    class_alias: ClassVar[str | None] = None
    #: Of those, the ones it can do without.
    optional_reference_types: ClassVar[Sequence[str]] = ()
    #: Name of the step in ``meta.cal_step`` when it is not the alias.
    cal_step: ClassVar[str | None] = None
    #: Memory that its libraries take (measured; for the plan of steps on models).
    library_bytes: ClassVar[int] = 0
    #: Whether what came of each exposure is told at the end of a run (steps on lists of exposures).
    tells_each: ClassVar[bool] = False
    #: Whether `process` writes the products that are to be saved, while it makes them.
    saves_itself: ClassVar[bool] = False
    #: Whether it must not be applied to what it was applied to already: the data would be changed twice.
    only_once: ClassVar[bool] = False
    #: Whether it leaves the arrays of what it is given as they are.
    only_reads: ClassVar[bool] = False
    #: What else becomes of an exposure that it was applied to before, in words.
    when_repeated: ClassVar[str] = ""
    #: What `run` takes: "one" input; a "list", also given one by one; or "any" arguments of `process`.
    takes: ClassVar[str] = "any"
    #: The steps of a pipeline, by name.
    step_defs: ClassVar[Mapping[str, type[Step]]] = {}

    def __init__(
        self, name: str | None = None, parent: Step | None = None, config_file: Any = None, **parameters: Any
    ) -> None:
        super().__init__()
        self.name = name or type(self).__name__
        self.parent = parent
        self.config_file = config_file
        self._input_filename: str | None = None  # only if the user names it before a run
        for key, value in parameters.items():
            self.set_parameter(key, value, "user")
        # Steps of webbcal know their attributes from here on; a user's own subclass may add what it likes.
        self._closed = type(self).__module__.startswith("webbcal.")

    def _repr_html_(self) -> str:
        shown: str = provided("notebook").step_html(self)
        return shown

    def export_config(self, filename: str | os.PathLike[str], include_metadata: bool = False) -> None:
        """Write the parameters to a parameter reference file (ASDF)."""
        configuration.parameter_file_of(self).write(filename, include_metadata=include_metadata)

    @property
    def is_left_out(self) -> bool:
        """Whether it is to be skipped in its pipeline; run alone, a step is never skipped."""
        return bool(self.skip) and self.parent is not None

    @property
    def asked_cores(self) -> str | None:
        """What the user has set as ``maximum_cores``, of steps that have it; None where nobody has."""
        own = "maximum_cores" in self._values and not self.origin("maximum_cores").startswith(
            ("default", "CRDS")
        )
        return str(self._values["maximum_cores"]) if own else None

    # ---------------------------------------------------------------- construction from configuration
    @classmethod
    def call(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an instance from CRDS parameters, `config_file` and keywords (in rising precedence); run it.

        Parameters
        ----------
        *args
            What `run` takes: a path or a data model.
        **kwargs
            Parameters; ``steps={"jump": {...}}`` for pipelines; `config_file`; `logcfg`; `configure_log`
            (False: loggers stay as they are).
        """
        log_configuration, configure = kwargs.pop("logcfg", None), kwargs.pop("configure_log", True)
        with logcfg.configured(log_configuration, configure):
            return configuration.build_step(cls, args[0] if args else None, **kwargs).run(*args)

    @classmethod
    def from_config_file(cls, config_file: Any, parent: Step | None = None, name: str | None = None) -> Step:
        """Make a step from a parameter file, which may name a subclass of this class."""
        return configuration.step_from_file(cls, config_file, parent, name)

    @staticmethod
    def from_cmdline(args: Sequence[str]) -> Step:
        """Make a step from command-line arguments and run it; other files are looked for beside its input."""
        arguments = configuration.parse_arguments(args)
        with logcfg.asked_for(arguments.options, "verbose" in arguments.flags):
            step: Step = configuration.build_from_arguments(arguments)
            if arguments.positional and step.input_dir is None:
                folder = str(Path(arguments.positional[0]).parent)
                step.set_parameter("input_dir", folder, "command line")
            step.run(*arguments.positional)
        return step

    # ---------------------------------------------------------------- references
    def get_ref_override(self, reference_type: str) -> Any:
        """Return the user's replacement for a reference (path or model), or None."""
        return self._values.get(f"override_{reference_type.replace('-', '_')}")

    def get_reference_file(self, input_file: Any, reference_type: str) -> Any:
        """Return the path (or the user's model) of the best reference for an input, or "N/A" (or "").

        Raises
        ------
        ReferenceFileError
            If the user's replacement does not exist.
        """
        with self.open_model(input_file) as model:
            reference = find_references([self], [reference_type], model)[self, reference_type]
        run = current()
        if run is not None:
            run.references.append((reference_type, reference))
        if reference is None:
            return "" if self.get_ref_override(reference_type) == "" else "N/A"
        if reference.path is not None and not Path(reference.path).is_file():
            raise MissingReferenceError(
                f"{reference.path}, given as override_{reference_type}, does not exist"
            )
        return reference.init

    # ---------------------------------------------------------------- names and files
    def default_suffix(self) -> str:
        """Return the default suffix of this step's products."""
        return self.name.lower()

    def search_attr(self, attribute: str, default: Any = None, parent_first: bool = False) -> Any:
        """Return the first value that is not None in this step and its parents."""
        chain: list[Step] = [self]
        while chain[-1].parent is not None:
            chain.append(chain[-1].parent)
        values = (getattr(s, attribute, None) for s in (reversed(chain) if parent_first else chain))
        return next((v for v in values if v is not None), default)

    def set_primary_input(self, obj: Any, exclusive: bool = True) -> None:
        """Name the input, from which output names are made: of the present run, or else of those to come."""
        run = current()
        if run is None:
            self._input_filename = naming.name_of_input(obj)
        elif not exclusive or run.name is None:
            run.own_name = naming.name_of_input(obj)

    def make_output_path(
        self,
        basepath: str | None = None,
        ext: str | None = None,
        suffix: str | Literal[False] | None = None,
        idx: int | None = None,
        **components: Any,
    ) -> str:
        """Return the path of an output file by the field's naming rules."""
        run = current()
        start, indexed = naming.name_to_start_from(
            output_file=basepath,
            model_filename=None,
            input_filename=self._input_filename if run is None else run.name,
            step_name=self.name,
            output_ext=self.output_ext,
            search_output_file=self.search_output_file,
            inherited_output_file=self.search_attr("output_file"),
        )
        if suffix is None:
            suffix = self.suffix or self.default_suffix()
        index = idx if indexed and self.output_use_index else None
        # As in the field, the association comes before the number of an exposure.
        asn = {"asn_id": components.pop("asn_id", self._asn_of_names)}
        name = naming.output_name(start, suffix, ext or self.ending, **asn, idx=index, **components)
        return str(self.output_folder / name)

    @property
    def ending(self) -> str:
        """What names of products end with: `output_ext`, or if nobody set that, what `output_file` says."""
        named = str(self.search_attr("output_file") or "").lower().endswith(".asdf")
        return ".asdf" if named and self.origin("output_ext") == "default" else self.output_ext

    @property
    def output_folder(self) -> Path:
        """Where products go: `output_dir` of this step or its pipeline, else the working directory."""
        return Path(naming.output_folder(self.search_attr("output_dir")))

    def save_model(
        self,
        model: Any,
        suffix: str | None = None,
        idx: int | None = None,
        output_file: str | None = None,
        force: bool = False,
        **components: Any,
    ) -> Any:
        """Save a model under the step's naming rules, if saving is asked for; return the path.

        The models of a container or library are saved one by one, with numbers; it returns a list of paths.
        """
        output_file = output_file or self.output_file
        if not (force or self.saves or output_file):
            return None
        if is_container(model):
            several = len(model) > 1
            numbered = ((m, k if several else idx) for k, m in enumerate(models_of(model)))
            return [self.save_model(m, suffix, k, output_file, force, **components) for m, k in numbered]
        path = self.path_of(model, suffix, idx, output_file, **components)
        model.save(path)
        self.note_saved(path)
        return path

    def path_of(
        self,
        model: Any,
        suffix: str | None = None,
        idx: int | None = None,
        output_file: str | None = None,
        **components: Any,
    ) -> str:
        """Return the path that `save_model` gives to a model."""
        if self.output_use_model or (not output_file and not self.search_output_file):
            output_file, idx = model.meta.filename, None
        return self.make_output_path(basepath=output_file, suffix=suffix, idx=idx, **components)

    @property
    def saves(self) -> bool:
        """Whether its result is to be saved."""
        return bool(self.save_results or self.output_file)

    @property
    def streams(self) -> bool:
        """Whether `work` writes the products that are to be saved; not what hooks may still change."""
        in_fits = self.ending.removeprefix(".") == "fits"
        return self.saves_itself and self.saves and not self.post_hooks and in_fits and not self.is_opaque

    def output_paths(self, models: Sequence[Any]) -> list[str]:
        """Return the paths of the files that the step writes when it works on these models."""
        if not self.saves:
            return []
        several = len(models) > 1
        return [self.path_of(m, None, k if several else None, self.output_file) for k, m in enumerate(models)]

    def extra_products(self) -> Mapping[str, str]:
        """Return kind -> path of what it writes beside its result, as its parameters say.

        The plan and the run take the paths from here, so that no two products of a run have one name.
        """
        return {}

    def note_saved(self, path: str) -> None:
        """Tell the present run of a product that was written."""
        run = current()
        if run is not None:
            run.note_saved(path)
        else:
            log.info("saved %s", path)

    def open_model(self, init: Any, **kwargs: Any) -> Any:
        """Open a path as a data model; pass models through."""
        from webbcal import datamodels

        model = datamodels.open(self.located(init), **kwargs)
        return self.closed_by_run(model) if isinstance(init, (str, os.PathLike)) else model

    def closed_by_run(self, opened: Any) -> Any:
        """Return something that was opened; the present run, if there is one, closes it when it ends."""
        run = current()
        return opened if run is None else run.closes(opened)

    def located(self, init: Any) -> Any:
        """Return the input with `input_dir` before file names without a folder, in a list too."""
        if type(init) in (list, tuple):  # what astropy has opened is a list, too
            return [self.located(item) for item in init]
        folder = self.search_attr("input_dir")
        if folder and isinstance(init, (str, os.PathLike)) and not Path(init).parent.name:
            return str(Path(folder) / init)
        return init

    def check_output_folder(self) -> None:
        """Make sure, before any work, that products can be written; remove what killed runs have left there.

        Raises
        ------
        OutputError
            If the output folder cannot be made or written.
        ParameterError
            If the ending of names is none that can be written.
        """
        naming.check_ending(self.output_ext, f"{type(self).__name__}.output_ext")
        if str(self.output_file or "").lower().endswith(".gz"):
            naming.check_ending(str(self.output_file), f"{type(self).__name__}.output_file")
        folder = self.output_folder.absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make output folder {folder}: {error.strerror}; set --output_dir"
            ) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"output folder {folder} is not writable; set --output_dir to one that is")
        run = current()
        if run is None or run.enters(str(folder)):
            sweep(folder)

    # ---------------------------------------------------------------- running
    def run(self, *args: Any) -> Any:
        """Run the step on an input (path or model); return its result. The input model is not changed."""
        return self.start(*args).result

    def start(
        self,
        *args: Any,
        beside: Sequence[Any] = (),
        progress: Progress | None = None,
        destination: str | None = None,
    ) -> Run:
        """Run the step on an input; return the run: its result, what was done, and what was saved.

        Parameters
        ----------
        *args
            What `run` takes.
        beside : sequence
            What its pipeline gives it besides; users' hooks and steps do not get it.
        progress : Progress, optional
            Where to show how far it is; silent by default.
        destination : path, optional
            Where the pipeline will save what is made.
        """
        args = self.inputs(args)
        with self._begun(args, progress) as run:
            run.destination = destination
            self.check_required()
            hooks.check(self, *[getattr(self, name) for name in self.step_defs])
            if self.saves:
                self.check_output_folder()
            args = hooks.run_pre_hooks(self, args)
            if self.is_left_out:
                run.result = self.left_out(run, args[0])
                return run
            result = self.process(*args, *(() if self.is_opaque else beside))
            run.result = hooks.run_post_hooks(self, result)
            run.others = [hooks.run_post_hooks(self, other) for other in run.others]
            self._finalize(run)
            if self.saves and not self.streams:
                self.save_result(run)
        return run

    def _finalize(self, run: Run) -> None:
        """Let users' steps complete their results; record what those with a `process` of their own did."""
        used = [(kind, "N/A" if r is None else r.header_name) for kind, r in run.references]
        results = run.result if isinstance(run.result, (list, tuple)) else [run.result]
        models = [model for model in results if hasattr(model, "meta")]
        for model in models:
            self.finalize_result(model, used)
        if self.step_defs or not self.is_opaque or any(plan.step is self for plan in run.done):
            return
        first, plan = run.is_first, opaque(self)
        plan.reason, plan.references = "applied", dict(run.references)
        for model in models:
            told = getattr(model.meta.cal_step, str(self.cal_step or self.class_alias), None)
            plan.applied = told != "SKIPPED"
            record.append(model, [plan], crds_context([plan]), join=not first)
        run.note_done([plan])

    @contextmanager
    def _begun(self, args: Sequence[Any], progress: Progress | None = None) -> Iterator[Run]:
        """Make the run of this step: a part of the present one, if it is a step of a pipeline."""
        outer = current()
        if outer is not None and self.parent is not None:
            run = outer.part(self)
        else:
            resources = Resources.of_machine(self.threads, self.max_memory)
            run = Run(self, resources, progress or Silent())
        run.inputs = described_inputs(args)
        run.own_name = self._input_filename or (naming.name_of_input(args[0]) if args else None)
        with run.active():
            yield run

    def inputs(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """Return the arguments of `run` as `process` takes them: exposures given one by one are a list.

        What a pipeline hands to its steps is what `process` takes.

        Raises
        ------
        ParameterError
            If there are several, and the step takes one.
        """
        if len(args) < 2 or self.takes == "any" or self.parent is not None:
            return tuple(args)
        if self.takes == "list":
            return (list(args),)
        raise ParameterError(
            f"{self.name} takes one input, but {len(args)} are given; run it for each of them"
        )

    def process(self, *args: Any) -> Any:
        """Do the step's work, from model to model; users' own steps override this."""
        run = current()
        if run is not None and run.step is self:
            return self.work(run, *args)
        with self._begun(args) as run:
            return self.work(run, *args)

    def work(self, run: Run, *args: Any) -> Any:
        """Do the step's work as part of a run. Steps of webbcal override this."""
        raise NotImplementedError(f"{type(self).__name__} must override process()")

    @property
    def is_opaque(self) -> bool:
        """Whether nothing is known of its work before it is done: it has a `process` of its own."""
        return type(self).process is not Step.process

    def plan(self, *args: Any) -> Any:
        """Return the plan of a run on this input, without running anything; several products have several."""
        args = self.inputs(args)
        with self._begun(args) as run:
            return OpaquePlan.of(self, run) if self.is_opaque else self.planned(run, *args)

    def planned(self, run: Run, *args: Any) -> Any:
        """Return the plan of `work`. Steps of webbcal override this."""
        return OpaquePlan.of(self, run)

    def decided(self, data: Any, *more: Any) -> list[StepPlan]:
        """Decide whether the step applies, for each exposure where it decides for each."""
        raise NotImplementedError(f"{type(self).__name__} cannot be part of a script")

    def foresee(self, data: Any) -> Any:
        """Return what tells, before any work, of its result as it tells of its input: metadata and shapes."""
        return data

    def scratch_bytes(self, sizes: Any, p: Any) -> int:
        """Return the memory that the step's work takes beside its input, for the projection of a plan.

        Parameters
        ----------
        sizes : Sizes
            How much there is to do.
        p : Parameters
        """
        return 0

    def left_out(self, run: Run, model: Any) -> Any:
        """Return what a pipeline goes on with when it was told to leave this step out."""
        name = self.cal_step or self.class_alias
        if name and hasattr(model, "meta"):
            setattr(model.meta.cal_step, name, "SKIPPED")
        return model

    def save_result(self, run: Run) -> None:
        """Save what a run has made."""
        result = run.result
        several = isinstance(result, (list, tuple)) and len(result) > 1
        for index, model in enumerate(result if isinstance(result, (list, tuple)) else [result]):
            if hasattr(model, "save"):
                self.save_model(model, idx=index if several else None)
