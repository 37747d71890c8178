"""persistence: charge that traps give back after a bright source, flagged or subtracted.

The field has had two generations of this step, and parameters choose between them. `jwst` 3.0.0 flags the
time after a saturated group (`persistence_time` and what belongs to it). Before, it followed the traps of
each pixel through exposures and subtracted what they give back (`input_trapsfilled`, `save_trapsfilled`,
`flag_pers_cutoff`, and `save_persistence = True`). Parameters of both in one run are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webbcal.core.errors import FailedStep, ParameterError
from webbcal.detector.persistence_traps import TrapOutputs, TrapState, TrapWalk, begin_traps, products_beside
from webbcal.detector.persistence_windows import WindowState, WindowWalk, begin_windows, save_windows
from webbcal.kernels.persistence.windows import WindowSettings
from webbcal.run.block_step import BlockStep
from webbcal.run.engine.block_plan import Beside
from webbcal.run.engine.operation import BlockReferences, Stretch, Survey, Walk
from webbcal.run.exposure import Exposure
from webbcal.run.parameters import StepParameters, param

_TRAP_REFERENCES = ("trapdensity", "persat", "trappars")


class _References:
    """The references that a step needs; those of its class are those of both generations."""

    def __get__(self, step: PersistenceStep | None, owner: type) -> Sequence[str]:
        return _TRAP_REFERENCES if step is None or step.parameters.subtracts else ()


class PersistenceStep(BlockStep):
    """Flag groups after saturation, or subtract what charge traps give back; see the module's text."""

    class_alias = "persistence"
    walks = True
    reference_file_types: Any = _References()

    @dataclass(frozen=True)
    class Parameters(StepParameters):
        """Parameters of `PersistenceStep`."""

        save_persistence: bool | str | None = param(
            None, "ASDF file (in the output folder) for windows of flagging; True: save what is subtracted",
            kind="string",
        )  # fmt: skip
        persistence_time: int | None = param(None, "Time after saturation to flag", unit="s")
        dn_threshold: float | None = param(None, "Signal that causes persistence", unit="DN")
        persistence_array_file: str | None = param(None, "ASDF file of windows that earlier exposures left")
        persistence_dnu: bool = param(False, "Also flag DO_NOT_USE")
        input_trapsfilled: str | None = param(
            None,
            "Traps that the exposure before has filled (_trapsfilled): subtract persistence",
            beyond=True,
        )
        flag_pers_cutoff: float = param(
            40.0, "Flag pixels from which more is subtracted", unit="DN", beyond=True
        )
        save_trapsfilled: bool | None = param(
            None, "Save the filled traps for the next exposure; the default where persistence is subtracted",
            beyond=True,
        )  # fmt: skip
        include_noise: bool = param(
            False, "Errors include the photon noise of what is subtracted", beyond=True
        )
        skip: bool = param(True, "Skip this step")

        @property
        def subtracts(self) -> bool:
            """Whether persistence is subtracted; by default it is flagged."""
            return bool(self._of_traps)

        @property
        def _of_traps(self) -> list[str]:
            chosen = {
                "input_trapsfilled": bool(self.input_trapsfilled),
                "save_trapsfilled": bool(self.save_trapsfilled),
                "flag_pers_cutoff": self.flag_pers_cutoff != 40.0,
                "save_persistence = True": self.save_persistence is True,
                "include_noise": self.include_noise,
            }
            return [name for name, set_ in chosen.items() if set_]

        @property
        def _of_windows(self) -> list[str]:
            chosen = ("persistence_time", "dn_threshold", "persistence_array_file")
            names = [name for name in chosen if getattr(self, name) is not None]
            return names + ["save_persistence = <file>"] * isinstance(self.save_persistence, str)

        def check(self) -> None:
            """Refuse parameters of both generations.

            Raises
            ------
            ParameterError
                Naming them.
            """
            if self._of_traps and self._of_windows:
                raise ParameterError(
                    f"persistence: {', '.join(self._of_windows)} flags persistence, but "
                    f"{', '.join(self._of_traps)} subtracts it; set those of one of both"
                )

    @property
    def only_once(self) -> bool:  # type: ignore[override]
        """What is subtracted must not be subtracted twice."""
        return bool(self.parameters.subtracts)

    @property
    def adds(self) -> Sequence[str]:  # type: ignore[override]
        """The noise of what is subtracted is handed on as that of dark current is."""
        return ("average_dark_current",) if self.parameters.include_noise else ()

    @property
    def is_left_out(self) -> bool:
        """In a pipeline the step is skipped by default, unless the user asks for the traps' generation.

        That was part of the pipeline: scripts of its time do not ask for it by `skip = False`.
        """
        asked = self.parameters.subtracts and self.origin("skip").startswith(("default", "CRDS"))
        return super().is_left_out and not asked

    def reason_to_skip(self, exposure: Exposure, p: Parameters) -> str | None:
        """Check the parameters; those that have no effect are not refused by jwst either."""
        p.check()
        return None

    def measure(
        self, exposure: Exposure, references: Mapping[str, Any], p: Parameters, survey: Survey
    ) -> TrapState | WindowState:
        """Read the state that earlier exposures have left."""
        if p.subtracts:
            saved = p.save_trapsfilled is not False, p.save_persistence is True
            outputs = TrapOutputs(p.flag_pers_cutoff, *saved, p.include_noise)
            keep = self.closed_by_run
            return begin_traps(exposure, references["trappars"], p.input_trapsfilled, outputs, keep)
        if p.persistence_time is None or p.persistence_time <= 0:
            raise FailedStep(
                "there is nothing to do: set persistence_time (s) to flag what follows saturated groups, or "
                "input_trapsfilled (or save_trapsfilled = True) to subtract what traps give back"
            )
        assert exposure.readout is not None
        settings = WindowSettings(
            p.persistence_time, exposure.readout.tgroup, p.dn_threshold, p.persistence_dnu
        )
        return begin_windows(exposure, settings, self._left_before(p.persistence_array_file))

    def _left_before(self, name: str | None) -> str | None:
        """Return the file of windows: as it is named, or where `save_persistence` of that name has put it."""
        if name is None or Path(name).exists():
            return name
        saved = self.output_folder / name
        return str(saved) if saved.exists() else name

    def walk(
        self,
        stretch: Stretch,
        exposure: Exposure,
        references: BlockReferences,
        p: Parameters,
        state: TrapState | WindowState,
    ) -> Walk:
        """Begin with the first integrations of some pixels."""
        if isinstance(state, WindowState):
            return WindowWalk(stretch.box, state)
        return TrapWalk(stretch.box, exposure, references, state)

    def scratch_bytes(self, exposure: Exposure, references: Mapping[str, Any]) -> int:
        """Traps of three families with their maps, and what an integration gets of them; or windows."""
        return 200 + 8 * exposure.ngroups if self.parameters.subtracts else 24

    def revised(self, result: Any, state: TrapState | WindowState) -> TrapState | None:
        """Run again if pixels were flagged too late for integrations that had been worked on."""
        return state.revised(result) if isinstance(state, TrapState) else None

    def extra_products(self) -> Mapping[str, str]:
        """The traps for the next exposure, and what was subtracted."""
        p = self.parameters
        if not p.subtracts:
            return {}
        kinds = {"trapsfilled": p.save_trapsfilled is not False, "output_pers": p.save_persistence is True}
        return {kind: self.make_output_path(suffix=kind) for kind, saved in kinds.items() if saved}

    def extra_layout(self, kind: str, exposure: Exposure, references: Mapping[str, Any]) -> Beside:
        """Both come in pieces."""
        return products_beside(kind, exposure, references)

    def conclude(self, exposure: Exposure, result: Any, state: TrapState | WindowState) -> None:
        """Save windows for the next exposure, if asked for."""
        path = self.parameters.save_persistence
        if isinstance(state, WindowState) and isinstance(path, str):
            self.note_saved(save_windows(str(self.output_folder / path), exposure, result, state))
