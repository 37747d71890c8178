"""1/f noise: levels of the background by sigma clipping, stripes by medians, and low frequencies."""
