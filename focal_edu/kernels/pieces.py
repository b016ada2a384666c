"""Work on pieces that stay in cache, and the base of the pairs."""

import numpy
import torch
from torch.autograd import Function

SHARE = 2**16
"""Elements of one thread's share of a piece: 256 KiB of float32."""

NEW = 2**25
"""Bytes from which glibc asks Linux for new memory every time."""


def piece_size():
    """Return the elements of one piece: every thread's share in its cache."""
    return SHARE * torch.get_num_threads()


def in_pieces(*tensors):
    """Return whether to loop over pieces: all are plain CPU tensors."""
    return not torch.compiler.is_compiling() and all(
        tensor.is_cpu and type(tensor) is torch.Tensor and has_memory(tensor)
        for tensor in tensors
    )


def has_memory(tensor):
    """Return whether a tensor holds numbers itself, and wraps no other.

    Wrapped are those inside a ``torch.func`` transform, and gradients that
    ``torch.autograd.grad(is_grads_batched=True)`` batches.
    """
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return True


def working(dtype):
    """Return the type to compute in: float32 at least."""
    return dtype if dtype == torch.float64 else torch.float32


def empty_like(x, dtype):
    """Return an uninitialised tensor of the shape of `x`.

    NumPy asks Linux for huge pages, PyTorch does not: the first write to
    40 MB then costs 20 page faults in place of 10 000. Smaller arrays come
    from memory that the process holds already.
    """
    if not x.is_cpu or x.numel() * dtype.itemsize < NEW:
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
        return results, tuple(
            0 if isinstance(result, torch.Tensor) else None
            for result in results
        )


def save(ctx, *values):
    """Save tensors for backward, and keep what are none as they are."""
    ctx.save_for_backward(
        *(v if isinstance(v, torch.Tensor) else None for v in values)
    )
    ctx.others = [None if isinstance(v, torch.Tensor) else v for v in values]


def saved(ctx):
    """Return what `save` was given, in its order."""
    return [
        other if tensor is None else tensor
        for tensor, other in zip(ctx.saved_tensors, ctx.others, strict=True)
    ]
