"""How much memory the learner's code may take."""

import contextlib
import os
import sys
from collections.abc import Iterator


def in_use() -> int:
    """Bytes of memory that this process holds; 0 where that cannot be found cheaply."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ImportError, OSError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return 0


def affordable(memory: int) -> int:
    """That many bytes, or less where the machine has less."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/meminfo", encoding="ascii") as file:
        available = next(line for line in file if line.startswith("MemAvailable"))
        return max(512 * 1024**2, min(memory, int(available.split()[1]) * 1024 * 7 // 10))
    return memory


@contextlib.contextmanager
def address_space_limit() -> Iterator[None]:
    """Let one huge allocation fail at once with a MemoryError, where Linux would grant it and then end the process.

    Generous, because thread pools reserve addresses that they never use; not beside a GPU, whose driver reserves more.
    """
    if not sys.platform.startswith("linux") or any(map(os.path.exists, ("/dev/nvidiactl", "/dev/kfd"))):
        yield
        return
    import resource

    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        before = resource.getrlimit(resource.RLIMIT_AS)
        limit = now + 8 * 1024**3 + 256 * 1024**2 * (os.cpu_count() or 1)
        if before[0] != resource.RLIM_INFINITY:
            limit = min(limit, before[0])
        resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    except (OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)
