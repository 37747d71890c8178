"""Snowballs and showers against stcal on the same flags and data: data quality must agree bit for bit."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
from peer_process import needs_peer, run_peer

from webbcal.core.box import Box
from webbcal.detector.jump_parameters import JumpParameters
from webbcal.detector.showers import Showers
from webbcal.detector.snowballs import Snowballs
from webbcal.run.engine.blocks import RampBlock

DNU, SATURATED, JUMP, CHARGELOSS = 1, 2, 4, 128
TGROUP = 10.7


class Frames:
    """Looks at arrays as a step looks at what comes before it."""

    def __init__(self, block):
        self._block = block
        self.ints, self.groups, self.frame, self.threads = block.ints, block.groups, block.box, 1

    def flags(self, integration, group):
        return self._block.groupdq[integration, group].copy()

    def block(self, box, ints=None):
        assert ints is None
        return self._block

    def some(self, box, ints, groups):
        return self._block.integrations(ints).some_groups(groups)

    def map(self, work, items):
        return [work(item) for item in items]


def whole(data, groupdq, pixeldq=None):
    """Return arrays as one block."""
    box = Box.of_shape(groupdq.shape)
    ints, groups = (range(n) for n in groupdq.shape[:2])
    pixeldq = np.zeros(box.shape, np.uint32) if pixeldq is None else pixeldq
    return RampBlock(box, box, ints, groups, data, groupdq.copy(), pixeldq)


def exposure_of(shape, nframes=1):
    readout = SimpleNamespace(tgroup=TGROUP, nframes=nframes)
    return SimpleNamespace(
        readout=readout, nints=shape[0], ngroups=shape[1], shape=shape, frame=Box.of_shape(shape)
    )


def discs(rng, shape, number, most):
    """Return random discs and bars of a frame as masks."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    masks = []
    for _ in range(number):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        if rng.random() < 0.5:  # symmetric shapes have no direction
            cy, cx = np.rint(2 * cy) / 2, np.rint(2 * cx) / 2
        a, b, angle = rng.uniform(0.6, most), rng.uniform(0.6, most), rng.uniform(0, np.pi)
        if rng.random() < 0.5:
            b = a
        u = (y - cy) * np.cos(angle) + (x - cx) * np.sin(angle)
        v = (y - cy) * np.sin(angle) - (x - cx) * np.cos(angle)
        masks.append((u / a) ** 2 + (v / b) ** 2 <= 1)
    return masks


def snowball_flags(rng, shape):
    """Flags with single hits, snowballs with cores and rings, cores that come later, and odd flags."""
    nints, ngroups, *frame = shape
    flags = np.zeros(shape, np.uint8)
    for i in range(nints):
        for g in range(1, ngroups):
            hits = rng.random(frame) < 0.004
            for shift in ((0, 0), (0, 1), (1, 0)):
                flags[i, g][np.roll(hits, shift, (0, 1))] |= JUMP
            for mask in discs(rng, frame, rng.integers(0, 5), 9.0):
                flags[i, g][mask] |= JUMP
            for mask in discs(rng, frame, rng.integers(0, 3), 6.0):
                ring = sum(np.roll(mask, s, a) for a in (0, 1) for s in (-3, -2, -1, 1, 2, 3)) > 0
                flags[i, g][ring] |= JUMP
                late = min(ngroups - 1, g + int(rng.integers(0, 3)))
                flags[i, late:][:, mask] |= SATURATED
    flags[rng.random(shape) < 0.002] |= DNU
    flags[rng.random(shape) < 0.001] = CHARGELOSS | DNU
    flags[(flags & (SATURATED | DNU)) != 0] &= 255 - JUMP
    if rng.random() < 0.3:
        flags[:, -1] = DNU
    return flags


def snowball_case(rng, n):
    """Draw parameters and flags."""
    p = JumpParameters(
        min_sat_area=float(rng.choice([1, 4.5, 12])),
        min_jump_area=float(rng.choice([1, 5, 6, 30])),
        expand_factor=float(rng.choice([1.0, 1.5, 2.0, 2.7])),
        sat_required_snowball=bool(rng.random() < 0.8),
        min_sat_radius_extend=float(rng.choice([0.5, 2.5, 5])),
        sat_expand=int(rng.choice([0, 2, 3])),
        edge_size=int(rng.choice([0, 5, 25])),
        mask_snowball_core_next_int=bool(rng.random() < 0.8),
        snowball_time_masked_next_int=int(rng.choice([0, 15, 25, 40, 4000])),
        max_extended_radius=int(rng.choice([3, 8, 200])),
    )
    shape = [(1, 3), (2, 6), (3, 4)][n % 3] + (72, 72)
    return case_of("snowballs", p, groupdq=snowball_flags(rng, shape))


def case_of(kind, p, nframes=1, **arrays):
    return {"kind": kind, "parameters": asdict(p), "nframes": nframes, "tgroup": TGROUP, "p": p, **arrays}


def peer_of(cases, folder):
    return run_peer("large_events_peer.py", [{k: v for k, v in c.items() if k != "p"} for c in cases], folder)


def wide_flags():
    """Two jumps without a core in a frame that is wider than high: one in the middle, one near an end."""
    flags = np.zeros((1, 3, 60, 200), np.uint8)
    flags[0, 1, 28:32, 98:102] = flags[0, 1, 28:32, 190:194] = JUMP
    return flags


def snowballs_of(case):
    """Return flags with snowballs, and what was found."""
    given, part = case["groupdq"], Snowballs()
    block = whole(np.zeros(given.shape, np.float32), given)
    found = part.measure(exposure_of(given.shape), {}, case["p"], Frames(block))
    return part.apply(block, None, case["p"], found).groupdq, found


@needs_peer
def test_snowballs_equal_stcal(tmp_path):
    rng = np.random.default_rng(20261128)
    cases = [snowball_case(rng, n) for n in range(60)]
    cases.append(case_of("snowballs", JumpParameters(edge_size=20), groupdq=wide_flags()))
    *answers, wide = peer_of(cases, tmp_path)
    assert wide["number"] == 2 and snowballs_of(cases.pop())[1].number == 1  # see docs/parity.md: edge_size
    total = changed = 0
    for n, (case, theirs) in enumerate(zip(cases, answers, strict=True)):
        given, p = case["groupdq"], case["p"]
        ours, found = snowballs_of(case)
        wrong = np.argwhere(ours != theirs["groupdq"])
        assert len(wrong) == 0, (n, p, len(wrong), wrong[:5])
        assert found.number == theirs["number"], (n, p)
        total, changed = total + found.number, changed + np.count_nonzero(ours != given)
    assert total > 1000 and changed > 30_000


class Arrays:
    """References as a step gets them."""

    def __init__(self, **arrays):
        self._arrays = arrays

    def __getitem__(self, name):
        array = self._arrays[name]
        return SimpleNamespace(read=lambda kind, box: array[box.slices])

    def read(self, name):
        return self._arrays[name]


def shower_case(rng, n):
    """Draw parameters, and ramps with noise, steep sources, hits, glows that fade, and odd flags."""
    clips = n % 4 == 3
    nints, ngroups, *frame = [(1, 14), (2, 9), (3, 6), (8, 5)][n % 4] + (64, 70)
    nframes = int(rng.choice([1, 4]))
    gain = rng.uniform(3.0, 3.3, frame).astype(np.float32)
    noise = rng.uniform(4, 8, frame).astype(np.float32)
    rate = np.where(rng.random(frame) < 0.02, 900.0, 20.0)
    steps = rng.poisson(rate, (nints, ngroups, *frame)) + rng.normal(0, 9, (nints, ngroups, *frame))
    for i in range(nints):
        for g in range(1, ngroups):
            for mask in discs(rng, frame, rng.integers(0, 2), 11.0):
                size = rng.uniform(10, 150)
                for later in range(g, ngroups):
                    steps[i, later][mask] += size * 0.5 ** (later - g)
    data = np.cumsum(steps, axis=1).astype(np.float32)
    groupdq, pixeldq = np.zeros(data.shape, np.uint8), np.zeros(frame, np.uint32)
    hit = rng.random(data.shape) < 0.005
    hit[:, 0] = False
    groupdq[hit] = JUMP
    groupdq[rng.random(data.shape) < 0.004] |= DNU
    groupdq[rng.random(data.shape) < 0.002] |= 32
    start = rng.integers(0, 12 * ngroups, (nints, 1, *frame))
    groupdq[np.arange(ngroups)[None, :, None, None] >= start] = SATURATED
    groupdq[:, 0], groupdq[:, -1] = DNU, groupdq[:, -1] | (DNU if rng.random() < 0.5 else 0)
    pixeldq[rng.random(frame) < 0.01] = DNU
    pixeldq[:, :4] = 2**31
    gain[30, 30] = np.nan
    electrons = data * gain
    electrons[(groupdq & (DNU | SATURATED)) != 0] = np.nan
    p = JumpParameters(
        find_showers=True,
        extend_snr_threshold=float(rng.choice([1.2, 1.5, 2.0])),
        extend_min_area=int(rng.choice([20, 40, 90])),
        extend_inner_radius=float(rng.choice([0, 1, 2])),
        extend_outer_radius=float(rng.choice([2.6, 1.4, 4])),
        extend_ellipse_expand_ratio=float(rng.choice([1.0, 1.1, 1.5])),
        time_masked_after_shower=float(rng.choice([0.0, 15.0, 30.0])),
        max_shower_amplitude=float(rng.choice([0.5, 2.0, 6.0])),
        minimum_sigclip_groups=6 if clips else 100,
        max_extended_radius=int(rng.choice([6, 200])),
    )
    arrays = {"data": data, "groupdq": groupdq, "pixeldq": pixeldq, "gain": gain, "readnoise": noise}
    return case_of("showers", p, nframes, **arrays, electrons=electrons, noise=noise * gain)


@needs_peer
def test_showers_equal_stcal(tmp_path):
    rng = np.random.default_rng(42)
    cases = [shower_case(rng, n) for n in range(24)]
    cases.append(shower_case(rng, 0))
    for name in ("data", "groupdq", "electrons"):  # too few differences
        cases[-1][name] = cases[-1][name][:, :9].copy()
    total = changed = 0
    for n, (case, theirs) in enumerate(zip(cases, peer_of(cases, tmp_path), strict=True)):
        given, p = case["groupdq"], case["p"]
        block = whole(case["data"], given, case["pixeldq"])
        part, references = Showers(), Arrays(gain=case["gain"], readnoise=case["readnoise"])
        found = part.measure(exposure_of(given.shape, case["nframes"]), references, p, Frames(block))
        ours = part.apply(block, references, p, found).groupdq
        wrong = np.argwhere(ours != theirs["groupdq"])
        assert len(wrong) == 0, (n, p, len(wrong), wrong[:5])
        assert found.number == theirs["number"], (n, p)
        total, changed = total + found.number, changed + np.count_nonzero(ours != given)
    assert total > 100 and changed > 10_000, (total, changed)
