"""Run the benchmarks named on the command line, or all: `python -m tests.bench [codec collection …]`."""

import importlib
import pkgutil
import sys

import tests.bench


def main(names: list[str]) -> None:
    there = sorted(m.name.removeprefix("bench_") for m in pkgutil.iter_modules(tests.bench.__path__) if m.name.startswith("bench_"))
    unknown = [n for n in names if n not in there]
    if unknown:
        sys.exit(f"no benchmark named {', '.join(unknown)}; there are {', '.join(there)}")
    for name in names or there:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"tests.bench.bench_{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
