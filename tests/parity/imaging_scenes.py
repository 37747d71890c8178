"""Dithered exposures of the four imagers, simulated as rates, with pointing errors, skies and particles."""

from dataclasses import dataclass, replace
from pathlib import Path

from webbcal import simulate
from webbcal.associations import DMSLevel2bBase, asn_from_list
from webbcal.simulate import ExposureConfig, RateOptions, Sky

#: Dithers (fractions of the field), pointing errors (arcsec) and sky levels (of the field's own).
DITHERS = ((0.0, 0.0), (0.11, -0.07), (-0.13, 0.06), (0.05, 0.15))
ERRORS = ((0.0, 0.0), (0.12, -0.07), (-0.2, 0.11), (0.05, 0.16))
LEVELS = (1.0, 1.3, 0.8, 1.1)


@dataclass(frozen=True)
class Scene:
    """A field seen by one detector: how many dithers, and its width in arcsec."""

    config: ExposureConfig
    width: float
    number: int = 4
    rays: float = 20.0

    def exposures(self) -> list[tuple[ExposureConfig, RateOptions]]:
        """Return what to simulate."""
        offsets = [(x * self.width, y * self.width) for x, y in DITHERS[: self.number]]
        made = simulate.dithered(self.config, offsets)
        sky = self.config.sky
        made = [
            replace(c, sky=replace(sky, background=f * sky.background))
            for c, f in zip(made, LEVELS, strict=False)
        ]
        options = [RateOptions(pointing_error=e, rays=self.rays) for e in ERRORS]
        return list(zip(made, options, strict=False))


def _field(detector, subarray, band, pattern, stars, **more):
    sky = Sky(stars=stars, galaxies=stars / 2, bright=17.0, faint=25.0, star_slope=0.1, background=1.0)
    exposure = {"ngroups": 10, "sky": sky, "program": 1, **more}
    return ExposureConfig(detector=detector, subarray=subarray, filter=band, readpatt=pattern, **exposure)


SCENES = {
    "nircam": Scene(_field("NRCALONG", "SUB320", "F444W", "BRIGHT2", 700.0), 20.0),
    "niriss": Scene(_field("NIS", "SUB256", "F200W", "NIS", 700.0, observation=2), 16.0, 3),
    "miri": Scene(_field("MIRIMAGE", "SUB256", "F770W", "FASTR1", 500.0, observation=3, ngroups=60), 28.0, 3),
    "fgs": Scene(_field("GUIDER1", "SUB128CNTR", "N/A", "FGS", 1800.0, observation=4), 8.8, 3),
}


@dataclass(frozen=True)
class Fields:
    """Rates of all scenes on disk: their files by scene, and the variables that calibrate them."""

    folder: Path
    rates: dict[str, list[Path]]
    environment: dict[str, str]


def simulate_fields(folder):
    """Simulate all scenes, and two backgrounds and a time series of NIRCam; write the associations."""
    each = {name: scene.exposures() for name, scene in SCENES.items()}
    base = SCENES["nircam"].config
    off = [replace(base, exposure=n, seed=n, ra=53.3) for n in (11, 12)]
    each["background"] = [(c, RateOptions(rays=5.0)) for c in off]
    each["ints"] = [
        (replace(base, exposure=21, nints=3, ngroups=4), RateOptions(integrations=True, rays=5.0))
    ]
    configs, options = zip(*(pair for pairs in each.values() for pair in pairs), strict=True)
    made = simulate.rate_universe(folder, configs, options, subarray_only=True)
    simulate.write_catalog_references(simulate.CrdsCache(folder / "crds"), {c.instrument for c in configs})
    left = list(made.rate)
    rates = {name: [left.pop(0) for _ in pairs] for name, pairs in each.items()}
    members = [(rates["nircam"][0].name, "science"), *((p.name, "background") for p in rates["background"])]
    asn = asn_from_list(members[:1], DMSLevel2bBase, with_exptype=True)
    asn["products"][0]["name"] = "target"
    asn["products"][0]["members"] += [{"expname": n, "exptype": t} for n, t in members[1:]]
    asn.save(folder / "background_asn.json")
    return Fields(folder, rates, made.environment)
