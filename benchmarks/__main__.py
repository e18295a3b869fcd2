"""Run every benchmark and print its ratio: ``python -m benchmarks`` (``--small`` as continuous integration does)."""

from __future__ import annotations

import argparse

from benchmarks import all_sources, book, cascade, clearing, eigen, health, one_shock, reuse, spine
from benchmarks import map as network_map
from benchmarks.timing import Size, machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a size that runs in seconds")
    size = Size.SMALL if parser.parse_args().small else Size.FULL
    print(machine())
    for part in (spine, health, cascade, book, all_sources, one_shock, eigen, clearing, reuse, network_map):
        for line in part.run(size):
            print(line, flush=True)


if __name__ == "__main__":
    main()
