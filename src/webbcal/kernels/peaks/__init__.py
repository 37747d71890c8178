"""Local maxima of an image: where stars may be."""
