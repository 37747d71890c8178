"""A CRDS cache of our own: reference files with the rules that select them, for use without a server.

A cache is a folder that the `crds` package (and so webbcal and `jwst`) accepts in serverless mode:

    references/jwst/<instrument>/…    the files
    mappings/jwst/…                   one .pmap, an .imap per instrument, an .rmap per reference type
    config/jwst/server_config         what a server would have said
    references.json                   our own list, so that files can be added later

Rules select by any header parameters (detector, subarray, filter …); a parameter that a file does not
care about is "N/A", and the file that matches more parameters wins. Reference types without a file are
declared not applicable, parameter reference files included: calibration steps then use their own defaults.
A type that some detectors, or exposure types, of the cache have is not applicable to its others.
"""

from __future__ import annotations

import hashlib
import json
import pprint
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from webbcal.core.errors import ReferenceFileError

USEAFTER = "2014-01-01T00:00:00"
SERVERLESS_URL = "https://crds-serverless-mode.stsci.edu"
_DETECTOR, _EXPOSURE = "META.INSTRUMENT.DETECTOR", "META.EXPOSURE.TYPE"
_TIME_KEYS = ("META.OBSERVATION.DATE", "META.OBSERVATION.TIME")

#: Steps and pipelines that ask for a parameter reference file (type ``pars-<name>``).
_CONFIGURABLE = """
    adaptivetracemodelstep alignrefsstep ami3pipeline amianalyzestep aminormalizestep assignmtwcsstep
    assignwcsstep backgroundstep badpixselfcalstep barshadowstep chargemigrationstep cleanflickernoisestep
    combine1dstep coron3pipeline cubebuildstep darkcurrentstep darkpipeline detector1pipeline dqinitstep
    emicorrstep extract1dstep extract2dstep firstframestep flatfieldstep fringestep gainscalestep
    groupscalestep guidercdsstep guiderpipeline hlspstep image2pipeline image3pipeline imprintstep ipcstep
    jumpstep klipstep lastframestep linearitystep masterbackgroundmosstep masterbackgroundstep
    msaflagopenstep outlierdetectionstep pathlossstep persistencestep photomstep pictureframestep
    pixelreplacestep rampfitstep refpixstep resamplespecstep resamplestep resetstep residualfringestep
    rscdstep saturationstep skymatchstep sourcecatalogstep sourcetypestep spec2pipeline spec3pipeline
    spectralleakstep stackrefsstep straylightstep superbiasstep targcentroidstep tso3pipeline
    tsophotometrystep tweakregstep wavecorrstep wfscombinestep wfsscontamstep whitelightstep
"""

#: Types of reference file that steps ask for, whatever the instrument.
_TYPES = """
    abvegaoffset apcorr area barshadow bkg camera chromcorr collimator cubepar dark dflat disperser
    distortion drizpars emicorr extract1d fflat filteroffset flat fore fpa fringe fringefreq gain ifufore
    ifupost ifuslicer ipc lastframe linearity mask mrsptcorr mrsxartcorr msa msaoper nrm ote pastasoss
    pathloss persat photom pictureframe psf psfmask readnoise refpix regions reset rscd saturation sflat
    sirskernel speckernel specprofile specwcs straymask superbias throughput trapdensity trappars tsophot
    wavecorr wavelengthrange wcsregions wfssbkg
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A reference file and the header values (by CRDS parameter name) of the exposures it is for."""

    instrument: str
    reftype: str
    file: str
    match: tuple[tuple[str, str], ...]


class CrdsCache:
    """A CRDS cache in a folder; an existing one is continued.

    Parameters
    ----------
    root : Path
        The folder (CRDS_PATH).
    context : str
        Name of the pipeline mapping (CRDS_CONTEXT).
    """

    def __init__(self, root: Path, context: str = "jwst_0001.pmap") -> None:
        self.root, self.context = Path(root), context
        self._index = self.root / "references.json"
        self._entries: list[Entry] = []
        if self._index.exists():
            self._entries = _read_index(self._index)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make `crds`, webbcal and `jwst` use this cache."""
        return {
            "CRDS_PATH": str(self.root.resolve()),
            "CRDS_SERVER_URL": SERVERLESS_URL,
            "CRDS_CONTEXT": self.context,
            "CRDS_OBSERVATORY": "jwst",
        }

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The reference files of the cache."""
        return tuple(self._entries)

    def path_for(
        self, instrument: str, reftype: str, match: Mapping[str, str], extension: str = ".fits"
    ) -> Path:
        """Return where to write the file for a match: over the registered one, or at a free name."""
        folder = self._folder(instrument)
        wanted = _key(instrument, reftype, match)
        for e in self._entries:
            if (e.instrument, e.reftype, e.match) == wanted and Path(e.file).suffix == extension:
                return folder / e.file
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while (path := folder / f"jwst_{instrument}_{reftype}_{number:04d}{extension}".lower()).exists():
            number += 1
        return path

    def add(self, path: Path, instrument: str, reftype: str, match: Mapping[str, str]) -> None:
        """Register a file that lies at a path from `path_for`, and rewrite the rules.

        A file registered before for the same match is replaced by this one.

        Parameters
        ----------
        path : Path
        instrument, reftype : str
        match : mapping
            CRDS parameter (such as ``META.INSTRUMENT.DETECTOR``) to value.

        Raises
        ------
        ReferenceFileError
            If the file is not in the cache.
        """
        if not path.exists() or path.parent != self._folder(instrument):
            raise ReferenceFileError(f"{path} is not in the cache's folder {self._folder(instrument)}")
        key = _key(instrument, reftype, match)
        rest = [e for e in self._entries if (e.instrument, e.reftype, e.match) != key]
        self._entries = [*rest, Entry(key[0], key[1], path.name, key[2])]
        self._write_rules()

    def _folder(self, instrument: str) -> Path:
        return self.root / "references" / "jwst" / instrument.lower()

    # Rules

    def _write_rules(self) -> None:
        number = self.context.removesuffix(".pmap").rsplit("_", 1)[-1]
        mappings = self.root / "mappings" / "jwst"
        mappings.mkdir(parents=True, exist_ok=True)
        by_type: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for e in self._entries:
            by_type[e.instrument][e.reftype].append(e)
        names = [self.context]
        imaps = {}
        for instrument, types in sorted(by_type.items()):
            low = instrument.lower()
            selector = dict.fromkeys(_all_types(low), "N/A")
            known = {
                key: {v for es in types.values() for e in es for k, v in e.match if k == key}
                for key in (_DETECTOR, _EXPOSURE)
            }
            for reftype, entries in types.items():
                selector[reftype] = f"jwst_{low}_{reftype}_{number}.rmap"
                rules = _reference_rules(instrument, reftype, entries, known)
                _write_mapping(mappings / selector[reftype], *rules)
                names.append(selector[reftype])
            imaps[instrument] = f"jwst_{low}_{number}.imap"
            header = {"mapping": "INSTRUMENT", "instrument": instrument, "parkey": ("REFTYPE",)}
            _write_mapping(mappings / imaps[instrument], header, pprint.pformat(selector))
            names.append(imaps[instrument])
        header = {"mapping": "PIPELINE", "parkey": ("META.INSTRUMENT.NAME",)}
        _write_mapping(mappings / self.context, header, pprint.pformat(imaps))
        self._write_config(names)
        self._index.write_text(json.dumps([asdict(e) for e in self._entries], indent=1))

    def _write_config(self, mappings: list[str]) -> None:
        import crds

        config = self.root / "config" / "jwst"
        config.mkdir(parents=True, exist_ok=True)
        info = {
            "observatory": "jwst",
            "operational_context": self.context,
            "latest_context": self.context,
            "edit_context": self.context,
            "bad_files": "",
            "bad_files_list": [],
            "connected": False,
            "force_remote_mode": False,
            "status": "cache",
            "last_synced": "2026-01-01 00:00:00",
            "crds_version": {"str": crds.__version__, "branch": "", "sha1": ""},
            "server": SERVERLESS_URL,
            "mappings": mappings,
        }
        (config / "server_config").write_text(pprint.pformat(info))
        (config / "ref_cache_subdir_mode").write_text("instrument")


def _key(
    instrument: str, reftype: str, match: Mapping[str, str]
) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return instrument.upper(), reftype.lower(), tuple(sorted(match.items()))


def _read_index(path: Path) -> list[Entry]:
    try:
        rows = json.loads(path.read_text())
        return [
            Entry(r["instrument"], r["reftype"], r["file"], tuple((k, v) for k, v in r["match"]))
            for r in rows
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ReferenceFileError(
            f"{path} is damaged ({error}); remove the cache folder and write it again"
        ) from error


def _all_types(instrument: str) -> list[str]:
    """Return the types that may be asked for: our lists, and what the installed crds package knows."""
    import crds.jwst

    specs = Path(crds.jwst.__file__).parent / "specs"
    known = {
        p.stem.split("_", 1)[1] for kind in ("rmap", "spec") for p in specs.glob(f"{instrument}_*.{kind}")
    }
    parameters = (f"pars-{name}" for name in _CONFIGURABLE.split())
    return sorted((known - {"all"}).union(parameters, _TYPES.split()))


def _reference_rules(
    instrument: str, reftype: str, entries: list[Entry], known: Mapping[str, set[str]]
) -> tuple[dict[str, object], str]:
    """Return the header and the selector of the mapping of one reference type."""
    keys = sorted({k for e in entries for k, _ in e.match})
    header: dict[str, object] = {
        "mapping": "REFERENCE",
        "instrument": instrument,
        "filekind": reftype.upper(),
        "filetype": reftype.upper(),
        "suffix": reftype,
        "file_ext": Path(entries[0].file).suffix,
        "text_descr": reftype,
        "parkey": (tuple(keys), _TIME_KEYS),
    }
    date = USEAFTER.replace("T", " ")
    cases = [case for key, values in known.items() for case in _idle(entries, keys, key, values)]
    for e in sorted(entries, key=lambda e: e.match):
        case = tuple(dict(e.match).get(k, "N/A") for k in keys)
        cases.append(f"    {case!r} : UseAfter({{\n        {date!r} : {e.file!r},\n    }}),\n")
    return header, "Match({\n" + "".join(cases) + "})"


def _idle(entries: list[Entry], keys: list[str], key: str, values: set[str]) -> list[str]:
    """Return the rules for the cache's detectors (or exposure types) that have no such file: not applicable.

    What the cache does not know stays an error.
    """
    served = {dict(e.match).get(key) for e in entries}
    idle = [] if None in served else sorted(values - served)
    return [f"    {tuple(v if k == key else 'N/A' for k in keys)!r} : 'N/A',\n" for v in idle]


def _write_mapping(path: Path, header: Mapping[str, object], selector: str) -> None:
    """Write a mapping with its checksum: the SHA-1 of the text without the line that holds the checksum."""
    full = {"observatory": "JWST", "name": path.name, "derived_from": "webbcal simulator", **header}
    lines = pprint.pformat(full, width=100).splitlines(True)
    lines[-1] = lines[-1].rstrip()[:-1] + ",\n"
    body = "header = " + "".join(lines), f"}}\n\nselector = {selector}\n"
    checksum = hashlib.sha1("".join(body).encode()).hexdigest()
    path.write_text(f"{body[0]} 'sha1sum': '{checksum}',\n{body[1]}")
