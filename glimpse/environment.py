"""Environment of a computation: device, number of threads, and versions of the packages."""

import math
import os
import platform
import subprocess
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = [
    "MOST_THREADS",
    "THREAD_LIMIT",
    "busy_cores",
    "choose_device",
    "cuda_devices",
    "package_version",
    "requested_threads",
    "require_packages",
    "safe_threads",
    "source_commit",
    "usable_cores",
    "use_threads",
    "versions",
]

MOST_THREADS = 8
"""Maximum number of threads; more do not speed up matrices of a few hundred rows."""

THREAD_LIMIT = 1024
"""Largest number of CPU threads that can be requested; many more would keep a machine busy with starting them."""

_PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "safetensors", "pyarrow", "matplotlib", "tensorboard")


def choose_device(name: str = "auto") -> "torch.device":
    """Returns a device by name; under torchrun, `cuda` is the device of the local rank.

    Args:
        name: `auto` (CUDA if available, else the CPU), `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        ValueError: If there is no such device, or it is not supported.
    """
    import torch

    cuda, reason = cuda_devices()
    if name == "auto":
        name = "cuda" if cuda else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"unknown device {name!r}; choose auto, cpu, cuda, cuda:N or mps") from None
    if device.type == "cuda":
        index = int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index
        if index >= cuda:
            raise ValueError(f"no device {name} (CUDA devices found: {cuda}{reason}); choose --device cpu or auto")
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError("no device mps: this machine or this build of torch does not support Metal; choose --device cpu or auto")
    if device.type not in ("cpu", "mps"):
        raise ValueError(f"the device {name!r} is not supported; choose auto, cpu, cuda, cuda:N or mps")
    return device


def use_threads(requested: int | None = None) -> int:
    """Sets the number of CPU threads of torch, and returns it.

    A number requested here or by OMP_NUM_THREADS, which torchrun sets, is used as it is. Otherwise, `safe_threads` determines the
    number from the current load: all threads wait for the slowest one at the end of every operation, so that two threads are slower
    than one if a core is shared with other processes. The last bits of a result on the CPU depend on the number of threads, so runs
    record it.

    Args:
        requested: Number of threads, at least 1; None for automatic.

    Raises:
        ValueError: As `requested_threads`.
    """
    import torch

    threads = requested_threads(requested) or safe_threads(usable_cores(), busy_cores())
    torch.set_num_threads(threads)
    return threads


def requested_threads(requested: int | None = None) -> int | None:
    """Returns the requested number of CPU threads: the argument, or OMP_NUM_THREADS if it is a positive number; None for automatic.

    Args:
        requested: Number of threads, at least 1, or None.

    Raises:
        ValueError: If the variable is used and greater than `THREAD_LIMIT`.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if requested is not None or not given.isdecimal():
        return requested
    if len(given) > 9 or int(given) > THREAD_LIMIT:
        raise ValueError(f"OMP_NUM_THREADS must be in 1 to {THREAD_LIMIT}, got {given[:20]}")
    return int(given) or None


def safe_threads(cores: int, busy: float) -> int:
    """Returns the number of threads that can each have a core to themselves, 1 to 8.

    Args:
        cores: Number of cores that the process may use.
        busy: Number of them used by other processes, 0.5 for one core half of the time. A third of a core is tolerated as noise.

    >>> [safe_threads(2, busy) for busy in (0.1, 0.5, 1.0, 2.0)], safe_threads(64, 3.0)
    ([2, 1, 1, 1], 8)
    """
    return max(1, min(math.floor(cores - busy + 1 / 3), MOST_THREADS))


def usable_cores() -> int:
    """Returns the number of physical cores that the process may use, given its affinity and the quota of its container."""
    allowed = _allowed_cpus()
    siblings = Path("/sys/devices/system/cpu")
    cores = {_text(siblings / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in allowed}
    return max(1, math.ceil(min(len(cores), _quota())))


def busy_cores(seconds: float = 0.2) -> float:
    """Returns the number of busy CPUs among those that the process may use, measured over a short time.

    The load average is not used because it still includes processes that ended a minute ago.

    Args:
        seconds: Duration of the measurement.
    """
    import psutil

    busy = psutil.cpu_percent(interval=seconds, percpu=True)
    return sum(percent for cpu, percent in enumerate(busy) if cpu in _allowed_cpus()) / 100


def versions() -> dict[str, str | None]:
    """Returns the versions of Python, glimpse and its dependencies; None for a package that is not installed."""
    return {"python": platform.python_version(), "glimpse": package_version()} | {name: _version(name) for name in _PACKAGES}


def package_version() -> str | None:
    """Returns the version of the installed glimpse package; None if it is not installed."""
    return _version("glimpse-attention")


def cuda_devices() -> tuple[int, str]:
    """Returns the number of CUDA devices, and torch's warning about them, or an empty string."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return count, "".join(f"; {' '.join(str(warning.message).split())}" for warning in caught[:1])


def require_packages(purpose: str, extra: str, *packages: str) -> None:
    """Checks that packages of an optional extra are installed, without importing them.

    Args:
        purpose: What they are needed for, for the message.
        extra: Name of the extra.
        packages: Names of the modules.

    Raises:
        ValueError: If one is missing; the message has the command that installs it.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ValueError(f"{purpose} needs {' and '.join(missing)}: pip install 'glimpse-attention[{extra}]'")


def source_commit() -> str | None:
    """Returns the git commit of the source tree; None if the package is not installed from one."""
    package = Path(__file__).resolve().parent
    try:
        command = ["git", "-C", str(package), "rev-parse", "HEAD"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    inside = found.returncode == 0 and (package.parent / "pyproject.toml").is_file()
    return found.stdout.strip() if inside else None


def _allowed_cpus() -> set[int]:
    """Returns the numbers of the CPUs that the process may run on."""
    if sys.platform == "linux":
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _quota() -> float:
    """Returns the CPU quota of the container, in CPUs; infinity if there is no limit."""
    limit, _, period = _text(Path("/sys/fs/cgroup/cpu.max")).partition(" ")  # "max 100000" or "150000 100000"
    if not period:
        limit = _text(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"))  # -1 for no limit
        period = _text(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))
    return int(limit) / int(period) if limit.isdecimal() and period.isdecimal() else math.inf


def _text(path: Path) -> str:
    """Returns the text of a small file without surrounding whitespace; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _version(package: str) -> str | None:
    """Returns the version of an installed package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
