"""The exposures that are combined: opened, looked at, their footprints and the grid that holds them."""
