"""Co-adding images on one grid: weights of pixels, weighted means, and the variances of these."""
