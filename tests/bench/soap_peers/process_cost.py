"""What a process has cost: CPU time and peak memory, as the kernel counts them (Linux)."""

import time
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, all its threads, ended ones too."""
    # What clock_getcpuclockid(3) answers: the process's own scheduler clock, in nanoseconds; /proc counts in hundredths of a second.
    return time.clock_gettime((~pid << 3) | 2)


def forget_peak(pid: int) -> float:
    """From now on count the peak anew; MiB resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _mib(pid, "VmRSS:")


def peak_mib(pid: int) -> float:
    """The most that was resident since then, in MiB."""
    return _mib(pid, "VmHWM:")


def _mib(pid: int, name: str) -> float:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
