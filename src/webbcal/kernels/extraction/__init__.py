"""Spectra from images of spectra: sums along columns, and linear fits to each column.

An image has the direction across the spectrum as its rows and wavelength along its columns; every column
stands alone. What is fitted to a column is a polynomial in the position across (the background) beside any
number of profiles (sources). Fits go in three parts: sums over the pixels (`normal_equations`), the solution
of a small system for each column (`solving`), and the variance of a combination of the coefficients
(`propagate`).
"""

from __future__ import annotations
