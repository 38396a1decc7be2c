"""Can this Python run the lesson? If not, one sentence says why, before anything is installed.

Every Python since 2.7 can read this file: an older one should hear the reason, not a syntax error.
"""

import platform
import struct
import sys

OLDEST, NEWEST = (3, 10), (3, 13)


def problem(version, system, machine, bits):
    """Why there is no lesson for such a Python, or '' if there is one. version: (3, 11)."""
    name = "{}.{}".format(*version)
    if version < OLDEST:
        return "This is Python {}, which is too old: {}".format(name, EXPECTED)
    if version > NEWEST:
        return "This is Python {}, with which nothing was tested: {}".format(name, EXPECTED)
    if bits < 64:
        return "This Python has {} bits, and PyTorch needs 64: {}".format(bits, EXPECTED)
    if (system, machine) == ("Darwin", "x86_64"):
        return (
            "This Python is for Intel Macs, whose last PyTorch is 2.2.2, and the lesson needs 2.4: "
            "on Apple silicon install a Python for arm64; on an Intel Mac use Colab or Linux."
        )
    return ""


EXPECTED = (
    "expected 3.10, 3.11, 3.12 or 3.13. Install one of these and name it, "
    "for instance `make lesson PYTHON=python3.11`."
)


def of_this_python():
    """The problem of the Python that runs this, or ''."""
    version, bits = tuple(sys.version_info[:2]), 8 * struct.calcsize("P")
    return problem(version, platform.system(), platform.machine(), bits)


if __name__ == "__main__":
    sys.exit(of_this_python() or 0)
