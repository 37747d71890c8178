"""From counts to physical units: flat field and photometry."""
