"""What has parameters: values that are checked, each with where it came from."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from webbcal.core.errors import ParameterError
from webbcal.run.parameters import (
    ParameterInfo,
    StepParameters,
    override_info,
    parameter_table,
    suggestion,
)
from webbcal.run.spec import parameters_of_spec

log = logging.getLogger(__name__)


class _Spec:
    """`Step.spec`: the step's own parameters as the field prints them, for the class and its instances."""

    def __get__(self, instance: Any, owner: type[Parametrised]) -> str:
        common = parameter_table(StepParameters)
        own = [info for name, info in owner.parameter_infos().items() if common.get(name) != info]
        return "\n" + "".join(f"    {info.spec}\n" for info in own)


class Parametrised:
    """Holds the values of the parameters that its class declares, as `Parameters` or as a `spec` string."""

    #: References that are needed; for each there is a parameter ``override_…``.
    reference_file_types: Sequence[str] = ()
    Parameters: ClassVar[type[StepParameters]] = StepParameters
    spec: Any = _Spec()
    name: str
    parent: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the parameters of a class that declares them as the field does."""
        super().__init_subclass__(**kwargs)
        if isinstance(cls.__dict__.get("spec"), str):
            cls.Parameters = parameters_of_spec(cls.spec, cls.Parameters, cls.__name__)

    def __init__(self) -> None:
        # Lists are this instance's own: users append hooks to them.
        self._values: dict[str, Any] = {n: copy.copy(i.default) for n, i in self.parameter_infos().items()}
        self._origins: dict[str, str] = dict.fromkeys(self._values, "default")

    @classmethod
    def parameter_infos(cls) -> dict[str, ParameterInfo]:
        """Return all parameters of this class, reference overrides included."""
        infos = dict(parameter_table(cls.Parameters))
        types = cls.reference_file_types if not isinstance(cls.reference_file_types, property) else ()
        for reference_type in types:
            info = override_info(reference_type)
            infos[info.name] = info
        return infos

    @classmethod
    def print_configspec(cls) -> None:
        """Print all parameters, as the field writes their specification."""
        for info in cls.parameter_infos().values():
            print(info.spec)

    def set_parameter(self, name: str, value: Any, origin: str) -> None:
        """Set one parameter and remember where its value came from.

        Raises
        ------
        ParameterError
            For an unknown name or a value that is not allowed.
        """
        info = self.parameter_infos().get(name)
        if info is None:
            raise ParameterError(
                f"{type(self).__name__} has no parameter {name!r}{suggestion(name, self._values)}"
            )
        if info.of_run and self.parent is not None:
            raise ParameterError(
                f"{name} holds for a whole run: set it on {type(self.parent).__name__}, not on {self.name}"
            )
        self._values[name] = info.check(value, type(self).__name__)
        self._origins[name] = origin

    def check_required(self) -> None:
        """Make sure that parameters without a default are set.

        Raises
        ------
        ParameterError
            Naming the first that is not.
        """
        for name, info in self.parameter_infos().items():
            if info.required and self._values[name] is None:
                raise ParameterError(
                    f"{type(self).__name__}.{name} has no default: set it to {info.expected}"
                )

    def origin(self, name: str) -> str:
        """Return where a parameter's value came from: default, a parameter file, or user."""
        return self._origins[name]

    @property
    def parameters(self) -> Any:
        """The step's parameters as one frozen, checked object."""
        names = parameter_table(self.Parameters)
        return self.Parameters(**{n: self._values[n] for n in names})

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{suggestion(name, values)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name in self.__dict__.get("_values", {}):
            self.set_parameter(name, value, "user")
            return
        if self.__dict__.get("_closed") and not name.startswith("_") and not hasattr(self, name):
            # Scripts written for older versions set parameters that no longer exist: keep them running.
            log.warning(
                "%s has no parameter %r%s; the value is kept but has no effect",
                type(self).__name__,
                name,
                suggestion(name, self._values),
            )
        object.__setattr__(self, name, value)

    def get_pars(self, full_spec: bool = True) -> dict[str, Any]:
        """Return parameter names and values (`full_spec=False`: without the common ones).

        How many threads and how much memory a run may take is not among them: no result depends on it.
        """
        common = parameter_table(StepParameters)
        infos = {n: i for n, i in self.parameter_infos().items() if not i.of_run}
        return {n: self._values[n] for n in infos if full_spec or n not in common}

    def is_unset_beyond(self, name: str) -> bool:
        """Tell whether a parameter is one that jwst 3.0.0 does not have, and has its default."""
        info = self.parameter_infos()[name]
        return info.beyond and self._values[name] == info.default

    def update_pars(self, parameters: Mapping[str, Any]) -> None:
        """Set the parameters that exist in this step; ignore others."""
        for name, value in parameters.items():
            if name in self._values:
                self.set_parameter(name, value, "user")

    def arranged(self, origin: str, **parameters: Any) -> Self:
        """Return this step with parameters as a pipeline needs them for a run; this one stays as it is."""
        changed = {n: v for n, v in parameters.items() if getattr(self, n) != v}
        if not changed:
            return self
        other = copy.copy(self)
        other.__dict__.update(_values=dict(self._values), _origins=dict(self._origins))
        for name, value in changed.items():
            other.set_parameter(name, value, origin)
        return other
