"""The process group of a training under torchrun."""

import gc
import os
import socket

import psutil
import torch
import torch.distributed as dist

__all__ = ["joined_processes", "launcher"]


class joined_processes:  # noqa: N801 (used as a context)
    """Context with a process group of torchrun's processes; without torchrun it does nothing.

    Args:
        device: Device of this process; the backend is NCCL for CUDA devices, Gloo for others.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.world = int(os.environ.get("WORLD_SIZE", "1"))

    def __enter__(self) -> int:
        """Returns the rank of this process."""
        if self.world == 1:
            return 0
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        return dist.get_rank()

    def __exit__(self, *error: object) -> None:
        if self.world > 1:
            if error[0] is None:
                dist.barrier()
            gc.collect()  # DistributedDataParallel is a reference cycle with the group, whose threads must end before Python
            dist.destroy_process_group()


def launcher() -> str | None:
    """Returns what identifies the torchrun that started this process: its machine, number and start; None without torchrun."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    parent = psutil.Process(os.getppid())
    return f"{socket.gethostname()} {parent.pid} {parent.create_time():.2f}"
