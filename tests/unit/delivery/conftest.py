import pytest
from delivery_world import DeliveryWorld, make_world


@pytest.fixture
def world() -> DeliveryWorld:
    return make_world()
