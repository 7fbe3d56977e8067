"""The other library, whose bindings warn while they load."""

import warnings

import pytest


@pytest.fixture(scope="session")
def quantlib():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import QuantLib
    return QuantLib
