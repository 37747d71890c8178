"""Objects of astropy for transforms that only `stdatamodels` has, where that is not installed."""
