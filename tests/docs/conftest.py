"""The browser that the map's tests use opens the site too."""

from tests.view.conftest import browser

__all__ = ["browser"]
