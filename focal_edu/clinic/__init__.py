"""Examine a loss: is it the focal loss, and if not, what is it?"""

from .examine import assert_conforms, examine
from .report import Report
from .variants import VARIANTS, build

__all__ = ["VARIANTS", "Report", "assert_conforms", "build", "examine"]
