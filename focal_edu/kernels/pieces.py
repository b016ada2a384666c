"""Work on pieces that stay in cache, and the base of the pairs."""

from concurrent.futures import ThreadPoolExecutor

import numpy
import torch
from torch.autograd import Function

PIECE = 2**15 - 16
"""Elements of a piece: 128 KiB of float32, which a core's cache holds, and
fewer than PyTorch shares out among its own threads."""


def for_each(work, pieces):
    """Call ``work(*piece)`` for every piece, in as many threads as PyTorch's.

    Whoever is free takes the next piece, and waits for no other until the
    end. PyTorch's own threads wait for one another after each operation;
    where other programs want the processor too, that is most of the time.
    """
    left, inference = iter(pieces), torch.is_inference_mode_enabled()

    def take(_):  # a new thread knows of neither mode
        with torch.inference_mode(inference), torch.no_grad():
            for piece in left:
                work(*piece)

    threads = min(torch.get_num_threads(), len(pieces))
    if threads < 2:
        return take(0)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(take, range(threads)))


def in_pieces(*tensors):
    """Return whether to loop over pieces: all are plain CPU tensors.

    Those batched by ``torch.autograd.grad(is_grads_batched=True)`` are not.
    """
    return not torch.compiler.is_compiling() and all(
        tensor.is_cpu
        and type(tensor) is torch.Tensor
        and not torch._C._functorch.is_legacy_batchedtensor(tensor)
        for tensor in tensors
    )


def working(dtype):
    """Return the type to compute in: float32 at least."""
    return dtype if dtype == torch.float64 else torch.float32


def empty_like(x, dtype):
    """Return an uninitialised tensor of the shape of `x`.

    NumPy asks Linux for huge pages, PyTorch does not: the first write to
    40 MB then costs 20 page faults in place of 10 000.
    """
    if not x.is_cpu or x.numel() < PIECE:
        return torch.empty(x.shape, dtype=dtype, device=x.device)
    integers = numpy.empty(x.shape, f"i{dtype.itemsize}")
    return torch.from_numpy(integers).view(dtype)


class Pair(Function):
    """A function whose arguments all carry the axis of a `vmap`."""

    @classmethod
    def vmap(cls, info, in_dims, *arguments):
        moved = [
            argument
            if not isinstance(argument, torch.Tensor)
            else argument.expand(info.batch_size, *argument.shape)
            if dim is None
            else argument.movedim(dim, 0)
            for argument, dim in zip(arguments, in_dims, strict=True)
        ]
        results = cls.apply(*moved)
        if isinstance(results, torch.Tensor):
            return results, 0
        return results, tuple(None if r is None else 0 for r in results)
