"""A JupyterLab of its own with one notebook in it: for a picture of the site, and for tests of the map in notebooks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

__all__ = ["Lab", "notebook_showing", "running"]

TOKEN = "riskgraph"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
TRIES, PAUSE_S = 120, 0.5


@dataclass(frozen=True)
class Lab:
    """Where the notebook is opened, and what a program needs that works on it: environment and path."""

    address: str
    environment: dict[str, str]
    path: Path


def notebook_showing(result: Any, code: str, heading: str = "") -> nbformat.NotebookNode:
    """Make a notebook of one cell that shows a result, with the output that running it gives."""
    cell = nbformat.v4.new_code_cell(code, execution_count=1)
    shown = {"text/plain": repr(result), "text/html": result._repr_html_()}
    cell.outputs = [nbformat.v4.new_output("execute_result", data=shown, execution_count=1)]
    words = [nbformat.v4.new_markdown_cell(heading)] if heading else []
    return nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL}, cells=[*words, cell])


@contextmanager
def running(folder: Path, notebook: nbformat.NotebookNode, name: str) -> Iterator[Lab]:
    """Run a server on a free port, with homes of its own, and the notebook in its folder."""
    (folder / "work").mkdir()
    path = folder / "work" / f"{name}.ipynb"
    nbformat.write(notebook, path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "HOME")
    environment = {**os.environ, **{place: str(folder / "home") for place in places}}
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}", "--ip=127.0.0.1",
               f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder / 'work'}",
               "--LabApp.extension_manager=readonly"]  # fmt: skip
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(TRIES):
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=2).close()
                break
            except OSError:
                time.sleep(PAUSE_S)
        else:
            raise TimeoutError(f"JupyterLab does not answer on port {port}")
        yield Lab(f"{address}/lab/tree/{path.name}?token={TOKEN}&reset", environment, path)
    finally:
        server.terminate()
        server.wait(timeout=20)
