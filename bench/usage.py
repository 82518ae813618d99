"""What processes use: CPU seconds and memory, from the kernel and from Redis itself."""

import os
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from bench.system import redis_info

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU seconds spent so far."""

    process: float
    redis: float


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, user and system, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_memory(pid: int) -> int:
    """The most bytes of a process that were ever resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def resident_memory(pid: int) -> int:
    """The bytes of a process that are resident now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def usage(pid: int, redis: Redis) -> Usage:
    """CPU seconds of a process and of the Redis server, so far."""
    info = redis_info(redis)
    return Usage(cpu_seconds(pid), info["used_cpu_user"] + info["used_cpu_sys"])


def redis_bytes(redis: Redis) -> int:
    """Bytes that the Redis server has allocated."""
    return int(redis_info(redis)["used_memory"])


def redis_version(redis: Redis) -> str:
    """Which Redis it is."""
    return str(redis_info(redis)["redis_version"])
