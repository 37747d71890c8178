"""Many exposures: what there is to do, what of it is done, and who does it."""
