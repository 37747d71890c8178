"""Statistics along a short stack of images, pixel by pixel."""
