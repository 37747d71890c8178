"""Words of messages and of command lines."""

from __future__ import annotations


def a_or_an(name: str) -> str:
    """Return the name of a kind of thing with its article: an ImageModel, a SlitModel."""
    return f"{'an' if name[:1].upper() in 'AEIO' else 'a'} {name}"


def dashed(word: str) -> str:
    """Return an option (``--save_results=true``, or its name) with dashes for the underscores of its name."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value
