"""Run the command line in this process or in a terminal, on a small book with given labels."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pandas as pd
import pytest

from riskgraph.cli import main

__all__ = ["PROGRAM", "book", "in_terminal", "plain", "said"]

PROGRAM = [sys.executable, "-m", "riskgraph"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that succeeds and says nothing on standard error; give what it said."""
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def book(folder: Path, account: str = "ann", protocol: str = "lend") -> Path:
    """Write a small book whose labels are given: 10 ETH against 9,000 USDC."""
    folder.mkdir()
    rows = {"account": account, "protocol": protocol, "asset": ["ETH", "USDC"], "side": ["collateral", "debt"]}
    pd.DataFrame({**rows, "amount": [10, 9000]}).to_csv(folder / "positions.csv", index=False)
    pd.DataFrame({"asset": ["ETH", "USDC"], "price": [1500, 1]}).to_csv(folder / "assets.csv", index=False)
    return folder


def in_terminal(*arguments: str, columns: int = 80) -> str:
    """Run the program in a terminal of so many columns; give the raw text that it wrote."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=env | {"TERM": "xterm"}
    ) as process:
        os.close(theirs)
        chunks = []
        while chunk := _read(ours):
            chunks.append(chunk)
        assert process.wait() == 0
    os.close(ours)
    return b"".join(chunks).decode("utf-8")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side has closed
        return b""


def plain(text: str) -> list[str]:
    """Lines without the colour codes."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).split("\r\n")
