"""Find jumps (cosmic rays) in ramps by two-point differences.

The slope of a ramp between neighbouring groups is compared with the ramp's median; a difference that is
more than a few sigma away, sigma from read and photon noise, marks a jump in the later group (Anderson &
Gordon 2011, PASP 123, 1237). Long series use sigma clipping across integrations instead.
"""

from __future__ import annotations

from webbcal.kernels.jump.settings import JumpSettings, JumpTally, Method, after_jump_electrons, choose_method

__all__ = ["JumpSettings", "JumpTally", "Method", "after_jump_electrons", "choose_method"]
