"""The lab of Identity Center's stories."""

import pytest
from identity_stories import Lab


@pytest.fixture
def lab(aws):
    return Lab(aws)
