"""The questions of the lessons, one file for each.

    from focal_edu.exercises import lesson_01 as ex, looking_back

    ex.largest_loss.check("a")   # right, or one sentence about the mistake
    ex.largest_loss.hint()       # a nudge; called again, nearly all
    ex.largest_loss.solution()   # the answer, and why
    looking_back(ex)             # what you predicted, and what happened
    hand_in(ex, "ada_01.csv")    # a file of what you answered, as homework

Put ``...`` for an answer that you do not have yet. A teacher switches every
solution off with the environment variable ``FOCAL_EDU_SOLUTIONS=off``, set
where JupyterLab is started.

Whatever a function to be checked does, no traceback is shown: if it raises,
a sentence says so. One that never ends is yours to stop, with the notebook's
stop button; a sentence then says that. A function that ends the process
itself cannot be caught.
"""

from .feedback import hand_in, looking_back

__all__ = ["hand_in", "looking_back"]
