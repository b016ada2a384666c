"""Examine a loss: is it the focal loss, and if not, what is it?"""

from .examine import assert_conforms, examine
from .model import build
from .names import VARIANTS
from .report import Report

__all__ = ["VARIANTS", "Report", "assert_conforms", "build", "examine"]
