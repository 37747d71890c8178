"""What asdf asks an installed `stdatamodels` for, while webbcal stands in for its data models."""


def get_resource_mappings() -> list[object]:
    """Return the schemas of data models that asdf shall know: none, for webbcal has tables of its own."""
    return []
