"""The kernel that runs a notebook: the interpreter that started the tool, never another one."""

from __future__ import annotations

import atexit
import importlib.util
import subprocess
import sys
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode


class OwnKernel(AsyncKernelManager):
    """Starts this interpreter's ipykernel, whatever kernels are installed on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How to start it."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        argv.append("--IPKernelApp.log_level=ERROR")  # it warns of its own defaults
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def client_for(notebook: NotebookNode, folder: str | Path, timeout: int = 900) -> NotebookClient:
    """A client that executes a notebook in ``folder``; timeout: seconds per cell.

    Raises RuntimeError that says what to do if this interpreter has no ipykernel.
    """
    if importlib.util.find_spec("ipykernel") is None:
        raise RuntimeError(
            f"{sys.executable} has no ipykernel: expected an environment in which "
            "requirements.txt is installed, such as that of `make test`"
        )
    return NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        kernel_manager_class=OwnKernel,
        resources={"metadata": {"path": str(folder)}},
    )


def run(client: NotebookClient, environment: dict[str, str]) -> None:
    """Execute the client's notebook in a new kernel with these environment variables.

    Raises RuntimeError that says how to find out more if the kernel does not start; what cells do
    wrong comes as nbclient's own exceptions.
    """
    errors = None if sys.stderr else subprocess.DEVNULL  # a kernel needs outputs that are open
    try:
        client.execute(env=environment, stdout=subprocess.DEVNULL, stderr=errors)
    except DeadKernelError:
        raise
    except RuntimeError as error:
        atexit.unregister(client._cleanup_kernel)  # nbclient leaves it, to fail at the end
        raise RuntimeError(
            f"the kernel did not start: {error}. Expected `{sys.executable} -m ipykernel_launcher` "
            "to run; see what it says"
        ) from None
