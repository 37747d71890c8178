"""World coordinates: telescope attitude, transforms from pixels to the sky, and fast maps between images."""
