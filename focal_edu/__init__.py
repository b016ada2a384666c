"""Focal loss (Lin et al. 2017), written to be read, differentiated, checked.

The functions named here are NumPy's, and the reference. `FocalLoss` is the
module for PyTorch, and `focal_edu.pytorch` has the functions under it.
`focal_edu.clinic.examine` says what any other loss computes.

Importing the package is cheap: a room that needs PyTorch, Matplotlib or
scikit-learn is loaded when it is first asked for.
"""

from importlib import import_module

__version__ = "0.2.0"

_home = {
    "cross_entropy": "reference",
    "focal_loss": "reference",
    "sigmoid_focal_loss": "reference",
    "softmax_focal_loss": "reference",
    "sigmoid_focal_gradient": "gradients",
    "softmax_focal_gradient": "gradients",
    "gradient_ratio": "gradients",
    "FocalLoss": "pytorch",
}
__all__ = [*_home, "__version__"]


def __getattr__(name):
    if name in _home:
        return getattr(import_module(f"{__name__}.{_home[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
