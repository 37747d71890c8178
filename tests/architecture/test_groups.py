"""Tests that share what is dear to make run on one worker."""

import pytest


@pytest.mark.xdist_group("groups")
def test_xdist_sees_groups(request):
    """A version that does not would make each of those fixtures on every worker, unnoticed."""
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@groups")


@pytest.fixture(scope="module")
def made():
    return []


def test_those_that_share_a_fixture_are_a_group(request, made):
    assert request.node.get_closest_marker("xdist_group").args == ("tests/architecture/test_groups.py",)
