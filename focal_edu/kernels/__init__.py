"""The arithmetic of the PyTorch losses: formulas, and what makes them fast.

`formulas` is what to read: loss, slope and curvature in closed form.
`pairs` makes autograd functions of them, forward and backward side by side.
`fused` works out the loss and its slope in one call: on a CPU by `cpu`, in
pieces that stay in its cache, with the arithmetic of `odds`; on a GPU by
`triton_kernels`, in one pass over its memory.
"""

from .fused import classes_focal, sigmoid_focal, softmax_focal

__all__ = ["classes_focal", "sigmoid_focal", "softmax_focal"]
