"""The tests beside the keys run under the settings of those in tests/."""

from settings import own_points  # noqa: F401
