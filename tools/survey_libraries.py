"""What the focal losses of well-known libraries compute, as examined.

Install any of the libraries, without the frameworks that they ask for where
PyTorch is enough (``pip install --no-deps``), and

    PYTHONPATH=. python tools/survey_libraries.py

writes the verdicts on those it finds to `focal_edu/data/libraries.json`.
"""

import importlib
import importlib.util
import json
import sys
import types
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from focal_edu.clinic import examine
from focal_edu.recorded import DATA

RECORD = DATA / "libraries.json"


def load(module, bare=()):
    """Return a module, imported whole, or else only the files that it needs.

    `bare` names the packages around it that can be left empty.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, RuntimeError):
        if not bare:
            raise
    for name in bare:
        package = types.ModuleType(name)
        package.__path__ = [str(_folder(name))]
        sys.modules[name] = package
    return importlib.import_module(module)


def _folder(name):
    top, *rest = name.split(".")
    if top in sys.modules:
        return Path(sys.modules[top].__path__[0], *rest)
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ImportError(f"no package {top}")
    return Path(spec.submodule_search_locations[0], *rest)


@dataclass(frozen=True)
class Subject:
    """A loss of a library, how it is made, what it is held against.

    A function is called with its settings; a class is made with them.
    Packages in `bare` may be imported without running their `__init__`,
    where that asks for more than the loss does.
    """

    library: str
    module: str
    name: str
    task: str
    alpha: object
    settings: dict = field(default_factory=dict)
    reduction: str = "mean"
    bare: tuple = ()

    @property
    def call(self):
        """The loss as one would write it."""
        shown = ", ".join(f"{k}={_show(v)}" for k, v in self.settings.items())
        return f"{self.name}({shown})"

    def make(self):
        """Return the loss as a callable of (logits, targets)."""
        found = getattr(load(self.module, self.bare), self.name)
        if isinstance(found, type):
            return found(**self.settings)
        return lambda x, y, gamma=2.0: found(
            x, y, gamma=gamma, **self.settings
        )

    def verdict(self):
        """Return what the examination says, as a dictionary."""
        report = examine(
            self.make(),
            task=self.task,
            gamma=2.0,
            alpha=self.alpha,
            reduction=self.reduction,
        )
        return {
            "library": self.library,
            "version": version(self.library),
            "call": self.call,
            "convention": convention(report),
            "held_against": f"{report.claims}",
            "verdict": report.verdict,
            "names": list(report.names),
            "failing": list(report.failing),
            "example": str(report.example or ""),
        }


MEAN = {"reduction": "mean"}
VISION = (
    "torchvision",
    "torchvision.ops.focal_loss",
    "sigmoid_focal_loss",
    "binary",
)
FVCORE = "fvcore", "fvcore.nn.focal_loss", "sigmoid_focal_loss", "binary"
KORNIA = "kornia", "kornia.losses.focal"
SMP = (
    "segmentation-models-pytorch",
    "segmentation_models_pytorch.losses",
    "FocalLoss",
)
MONAI = "monai", "monai.losses.focal_loss", "FocalLoss"
TORCH = "focal-loss-torch", "focal_loss", "FocalLoss"
BARE_VISION = {"bare": ("torchvision", "torchvision.ops")}
BARE_SMP = {"bare": ("segmentation_models_pytorch",)}
WEIGHTS = (0.25, 0.75, 0.75)

SUBJECTS = (
    Subject(*VISION, 0.25, MEAN, **BARE_VISION),
    Subject(*FVCORE, None, MEAN),
    Subject(*KORNIA, "binary_focal_loss_with_logits", "binary", 0.25, MEAN),
    Subject(
        *KORNIA, "focal_loss", "multi-class", None, {"alpha": None} | MEAN
    ),
    Subject(
        *KORNIA, "focal_loss", "multi-class", 0.25, {"alpha": 0.25}, "none"
    ),
    Subject(*SMP, "binary", None, {"mode": "binary"}, **BARE_SMP),
    Subject(*SMP, "multi-label", None, {"mode": "multilabel"}, **BARE_SMP),
    Subject(*SMP, "multi-class", None, {"mode": "multiclass"}, **BARE_SMP),
    Subject(*MONAI, "multi-label", 0.25, {"alpha": 0.25}),
    Subject(*MONAI, "multi-class", None, {"use_softmax": True}),
    Subject(
        *MONAI, "multi-class", 0.25, {"use_softmax": True, "alpha": 0.25}
    ),
    Subject(
        "balanced-loss",
        "balanced_loss",
        "Loss",
        "multi-class",
        None,
        {"loss_type": "focal_loss"},
    ),
    Subject(
        "cbloss",
        "cbloss.loss",
        "FocalLoss",
        "multi-class",
        None,
        {"num_classes": 3},
    ),
    Subject(*TORCH, "multi-class", None, {"gamma": 2.0}),
    Subject(
        *TORCH,
        "multi-class",
        WEIGHTS,
        {"gamma": 2.0, "weights": torch.tensor(WEIGHTS)},
    ),
)


# What was read, not run, in the words of the clinic.
READ = (
    {
        "library": "keras",
        "version": "3.15.1",
        "released": "2026-07",
        "read": "2026-11-27",
        "call": "CategoricalFocalCrossentropy()",
        "convention": "softmax",
        "source": "keras/src/losses/losses.py",
        "names": [
            "p_t clipped",
            "alpha to every class",
            "takes probabilities",
            "takes targets first",
        ],
    },
)


def convention(report):
    """Return whose probabilities a loss takes: sigmoids', or a softmax's."""
    if report.form.task != "multi-class":
        return "sigmoids"
    return (
        "one against rest"
        if "one against rest" in report.names
        else ("softmax")
    )


def examine_installed():
    """Return the verdicts on what is installed, and what was left out."""
    verdicts, left_out = [], {}
    for subject in SUBJECTS:
        try:
            verdicts.append(subject.verdict())
        except (PackageNotFoundError, ImportError, RuntimeError) as error:
            left_out[subject.library] = f"{error}"
    release = torch.__version__.split("+")[0]
    recorded = f"{date.today():%Y-%m}"
    return (
        {
            "recorded": recorded,
            "torch": release,
            "verdicts": verdicts,
            "read": READ,
        },
        left_out,
    )


def _show(value):
    is_tensor = isinstance(value, torch.Tensor)
    return repr([round(v, 4) for v in value.tolist()] if is_tensor else value)


if __name__ == "__main__":
    found, left_out = examine_installed()
    text = json.dumps(found, indent=1, ensure_ascii=False)
    RECORD.write_text(text + "\n", encoding="utf-8")
    for row in found["verdicts"]:
        said = "; ".join(row["names"] or row["failing"])
        print(f"{row['library']} {row['version']} {row['call']}")
        print(f"    {row['verdict']}: {said}")
    for library, why in left_out.items():
        print(f"{library}: left out ({why})")
