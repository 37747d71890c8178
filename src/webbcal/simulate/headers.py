"""The metadata of a raw exposure: all that the calibration pipelines read, and what an archive would hold.

Each function returns one group of values by their path in the metadata tree. Barycentric times are UTC plus
the constant difference between the time scales: the simulated observatory does not orbit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from webbcal.simulate.config import ExposureConfig
from webbcal.simulate.soss import PUPIL_POSITION

_TDB_MINUS_UTC = 69.184 / 86400.0  # days, since 2017
_MJD_2000 = 51544

Meta = dict[str, Any]

#: EXP_TYPE of imaging.
IMAGING_TYPES = {"NIRCAM": "NRC_IMAGE", "NIRISS": "NIS_IMAGE", "FGS": "FGS_IMAGE", "MIRI": "MIR_IMAGE"}


def exposure_type(config: ExposureConfig) -> str:
    """Return the EXP_TYPE of an exposure: imaging, unless detector or subarray are for something else."""
    if config.soss is not None:
        return "NIS_SOSS"
    if config.grism is not None:
        return config.grism.exposure_type
    if config.lrs is not None and config.subarray == "FULL":
        return "MIR_LRS-FIXEDSLIT"
    if config.instrument == "NIRSPEC":
        return {"FULL": "NRS_MSASPEC", "ALLSLITS": "NRS_FIXEDSLIT"}.get(config.subarray, "NRS_BRIGHTOBJ")
    if config.detector.startswith("MIRIFU"):
        return "MIR_MRS"
    other = {"SLITLESSPRISM": "MIR_LRS-SLITLESS", "MASKLYOT": "MIR_LYOT"}
    if config.subarray.startswith("MASK1"):
        return "MIR_4QPM"
    return other.get(config.subarray, IMAGING_TYPES[config.instrument])


def exposure_metadata(config: ExposureConfig) -> Meta:
    """Return the metadata of an exposure: path below ``meta`` to value."""
    groups = (_file, _instrument, _exposure, _times, _observation, _subarray, _pointing, _wcs)
    return {path: value for group in groups for path, value in group(config).items()}


def assign(model: Any, metadata: Meta) -> None:
    """Set metadata values on a data model."""
    for path, value in metadata.items():
        node = model.meta
        *parents, name = path.split(".")
        for parent in parents:
            node = getattr(node, parent)
        setattr(node, name, value)


def _file(config: ExposureConfig) -> Meta:
    return {
        "telescope": "JWST",
        "filename": f"{config.rootname}_uncal.fits",
        "origin": "STSCI",
        "time_sys": "UTC",
        "time_unit": "s",
        "data_processing_software_version": "2025_1",
        "prd_software_version": "PRDOPSSOC-075",
        "bunit_data": "DN",
    }


def _instrument(config: ExposureConfig) -> Meta:
    detector = config.aperture.detector
    filter_name, pupil = config.band.wheels if config.soss is None else ("CLEAR", "GR700XD")
    if config.grism is not None:
        filter_name, pupil = config.grism.wheels((filter_name, pupil))
    meta: Meta = {"instrument.name": detector.instrument, "instrument.detector": detector.name}
    if detector.name.startswith("MIRIFU"):
        meta |= {
            "instrument.channel": "12" if detector.name == "MIRIFUSHORT" else "34",
            "instrument.band": "SHORT",
        }
    elif detector.instrument != "FGS":
        meta["instrument.filter"] = "P750L" if config.subarray == "SLITLESSPRISM" else filter_name
    if detector.instrument == "NIRSPEC":
        meta["instrument.grating"] = pupil
    elif detector.instrument not in ("FGS", "MIRI"):
        meta["instrument.pupil"] = pupil
    if config.soss is not None:
        meta["instrument.pupil_position"] = PUPIL_POSITION
    if config.grism is not None and config.grism.wheel_position is not None:
        meta["instrument.filter_position"] = config.grism.wheel_position
    if detector.channel:
        meta |= {"instrument.channel": detector.channel, "instrument.module": detector.module}
    return meta


def _exposure(config: ExposureConfig) -> Meta:
    r = config.readout
    integration = r.total_frames * r.tframe
    values = {
        "type": exposure_type(config),
        "readpatt": config.readpatt,
        "nints": config.all_integrations,
        "ngroups": config.ngroups,
        "nframes": r.nframes,
        "groupgap": r.groupgap,
        "frame_divisor": r.nframes,
        "drop_frames1": r.drop_frames1,
        "frame_time": r.tframe,
        "group_time": r.tgroup,
        "noutputs": config.aperture.n_outputs,
        "nresets_at_start": 1,
        "nresets_between_ints": 1,
        "nsamples": 9 if config.readpatt.startswith("SLOW") else 1,
        "sample_time": 10,
        "integration_time": integration,
        "exposure_time": config.all_integrations * integration,
        "measurement_time": config.all_integrations * integration,
        "effective_exposure_time": config.all_integrations * integration,
        "elapsed_exposure_time": _elapsed(config),
        "count": 1,
        "integration_start": config.first_integration + 1,
        "integration_end": config.first_integration + config.nints,
        "zero_frame": config.zeroframe and r.nframes > 1,
    }
    if config.segment is not None:
        values |= {"segment_number": config.segment.number, "segment_total": config.segment.total}
    if config.irs2 is not None:
        values |= {"nrs_normal": config.irs2.normal, "nrs_reference": config.irs2.reference}
    return {f"exposure.{name}": value for name, value in values.items()}


def _integration_period(config: ExposureConfig) -> float:
    """Seconds from the start of an integration to the start of the next: its frames and one reset."""
    return (config.readout.total_frames + 1) * config.readout.tframe


def _elapsed(config: ExposureConfig) -> float:
    return config.all_integrations * _integration_period(config)


def _times(config: ExposureConfig) -> Meta:
    start, length = config.start_mjd, _elapsed(config) / 86400.0
    meta: Meta = {}
    for name, time in (("start", start), ("mid", start + length / 2), ("end", start + length)):
        meta[f"exposure.{name}_time"] = time
        meta[f"exposure.{name}_time_mjd"] = time
        meta[f"exposure.{name}_time_tdb"] = time + _TDB_MINUS_UTC
    return meta


def iso_time(mjd: float) -> str:
    """Return a UTC date and time to the millisecond, as in ``2023-02-25T00:00:00.000``."""
    day, millisecond = divmod(round(mjd * 86400e3), 86400_000)
    stamp = np.datetime64("1858-11-17T00:00:00.000", "ms") + np.timedelta64(
        day * 86400_000 + millisecond, "ms"
    )
    return str(stamp)


def _observation(config: ExposureConfig) -> Meta:
    begin = iso_time(config.start_mjd)
    date, time = begin.split("T")
    program, observation = f"{config.program:05d}", f"{config.observation:03d}"
    visit = f"{config.visit:03d}"
    visit_id = program + observation + visit
    return {
        "observation.date": date,
        "observation.time": time,
        "observation.date_beg": begin,
        "observation.date_end": iso_time(config.start_mjd + _elapsed(config) / 86400.0),
        "observation.obs_id": f"V{visit_id}P0000000002101",
        "observation.visit_id": visit_id,
        "observation.program_number": program,
        "observation.observation_number": observation,
        "observation.visit_number": visit,
        "observation.visit_group": "02",
        "observation.sequence_id": "1",
        "observation.activity_id": "01",
        "observation.exposure_number": f"{config.exposure:05d}",
        "observation.obs_label": "simulated field",
        "program.title": "webbcal simulation",
        "program.pi_name": "Simulator",
        "program.category": "GO",
        "program.subcategory": "NONE",
        "target.catalog_name": "SIMULATED-FIELD",
        "target.proposer_name": "SIMULATED-FIELD",
        "target.type": "FIXED",
        "target.ra": config.ra,
        "target.dec": config.dec,
        "target.source_type_apt": "UNKNOWN",
        "visit.type": "PRIME_TARGETED_FIXED",
        "visit.status": "SUCCESSFUL",
        "visit.tsovisit": config.time_series,
        "visit.internal_target": False,
        "visit.engineering_quality": "OK",
        "dither.primary_type": "NONE",
        "dither.position_number": config.exposure,
        "dither.x_offset": config.dither[0],
        "dither.y_offset": config.dither[1],
    } | _nods(config)


def _nods(config: ExposureConfig) -> Meta:
    """Return what the header says of the place of the target in the slit, and of exposures without target."""
    lrs = config.lrs
    if lrs is None:
        return {}
    return {
        "observation.bkgdtarg": lrs.source is None,
        "target.source_type_apt": "EXTENDED" if lrs.source is None else "UNKNOWN",
        "dither.primary_type": "ALONG-SLIT-NOD" if lrs.positions == 2 else "NONE",
        "dither.position_number": lrs.position,
        "dither.total_points": lrs.positions,
        "dither.x_offset": lrs.offset[0],
        "dither.y_offset": lrs.offset[1],
    }


def _subarray(config: ExposureConfig) -> Meta:
    aperture = config.aperture
    box, detector = aperture.box, aperture.detector
    return {
        "subarray.name": config.subarray,
        "subarray.xstart": box.x0 + 1,
        "subarray.ystart": box.y0 + 1,
        "subarray.xsize": box.shape[1],
        "subarray.ysize": box.shape[0],
        "subarray.fastaxis": detector.fastaxis,
        "subarray.slowaxis": detector.slowaxis,
        "aperture.name": aperture.siaf_name,
        "aperture.pps_name": aperture.siaf_name,
    }


def _pointing(config: ExposureConfig) -> Meta:
    p = config.pointing
    ra_v1, dec_v1, pa_v3 = p.boresight()
    return {
        "pointing.ra_v1": ra_v1,
        "pointing.dec_v1": dec_v1,
        "pointing.pa_v3": pa_v3,
        "pointing.pa_aperture": (p.roll + p.aperture.v3_idl_angle) % 360.0,
        "pointing.pointing_quality": "CALCULATED",
        "ephemeris.reference_frame": "EME2000",
        "ephemeris.velocity_x_bary": 0.0,
        "ephemeris.velocity_y_bary": 0.0,
        "ephemeris.velocity_z_bary": 0.0,
        "velocity_aberration.scale_factor": 1.0,
        "velocity_aberration.va_ra_ref": p.ra,
        "velocity_aberration.va_dec_ref": p.dec,
        "guidestar.gs_ra": ra_v1,
        "guidestar.gs_dec": dec_v1,
        "guidestar.gs_mag": 14.0,
    }


def _wcs(config: ExposureConfig) -> Meta:
    p, a = config.pointing, config.aperture
    matrix, (scale_x, scale_y) = p.linear_wcs()
    corners = " ".join(f"{ra:.9f} {dec:.9f}" for ra, dec in zip(*p.footprint(), strict=True))
    values = {
        "wcsaxes": 2,
        "ctype1": "RA---TAN",
        "ctype2": "DEC--TAN",
        "cunit1": "deg",
        "cunit2": "deg",
        "crpix1": a.x_ref,
        "crpix2": a.y_ref,
        "crval1": p.ra,
        "crval2": p.dec,
        "cdelt1": scale_x,
        "cdelt2": scale_y,
        "pc1_1": matrix[0, 0],
        "pc1_2": matrix[0, 1],
        "pc2_1": matrix[1, 0],
        "pc2_2": matrix[1, 1],
        "s_region": f"POLYGON ICRS  {corners}",
        "v2_ref": a.v2_ref,
        "v3_ref": a.v3_ref,
        "vparity": a.v_parity,
        "v3yangle": a.v3_idl_angle,
        "ra_ref": p.ra,
        "dec_ref": p.dec,
        "roll_ref": p.roll,
        "siaf_xref_sci": a.x_ref,
        "siaf_yref_sci": a.y_ref,
    }
    return {f"wcsinfo.{name}": v if isinstance(v, (str, int)) else float(v) for name, v in values.items()}


def group_table(config: ExposureConfig, dtype: np.dtype) -> np.ndarray:
    """Return the GROUP table: one row a group, with the time at which its last frame was read."""
    r = config.readout
    table = np.zeros(config.nints * config.ngroups, dtype)
    rows = iter(table)
    for integration in range(config.first_integration, config.first_integration + config.nints):
        for group in range(config.ngroups):
            frames = integration * (r.total_frames + 1) + r.frames_of_group(group)[-1] + 1
            mjd = config.start_mjd + frames * r.tframe / 86400.0
            row = next(rows)
            row["integration_number"], row["group_number"] = integration + 1, group + 1
            row["end_day"], row["end_milliseconds"] = int(mjd) - _MJD_2000, int((mjd % 1) * 86400e3)
            row["group_end_time"] = iso_time(mjd)
            row["number_of_rows"], row["number_of_columns"] = config.aperture.shape
            row["completion_code_text"] = "COMPLETE"
            row["bary_end_time"] = row["helio_end_time"] = mjd + _TDB_MINUS_UTC
    return table


def integration_table(config: ExposureConfig, dtype: np.dtype) -> np.ndarray:
    """Return the INT_TIMES table: start, middle and end of each integration in UTC and barycentric TDB."""
    table = np.zeros(config.nints, dtype)
    number = config.first_integration + np.arange(config.nints)
    table["integration_number"] = number + 1
    period = _integration_period(config) / 86400.0
    length = config.readout.total_frames * config.readout.tframe / 86400.0
    for name, offset in (("start", 0.0), ("mid", length / 2), ("end", length)):
        utc = config.start_mjd + number * period + offset
        table[f"int_{name}_MJD_UTC"] = utc
        table[f"int_{name}_BJD_TDB"] = utc + _TDB_MINUS_UTC
    return table
