"""The rules of a good question, asked when it is built.

A question that breaks one is a ValueError that says which, so the lesson
does not load until it is mended.
"""

import re

LONGEST = 160
SENTENCE_END = re.compile(r"[.?](?:\s|$)")
NUMBER = re.compile(r"(?<![\w.])-?\d*\.?\d+(?:e-?\d+)?")


def sentences(text):
    """Return how many sentences a text has."""
    return len(SENTENCE_END.findall(text))


def numbers_in(text):
    return [float(n) for n in NUMBER.findall(text.replace("−", "-"))]


def require(holds, rule, text=""):
    if not holds:
        raise ValueError(f"{rule}: {text!r}" if text else rule)


def good_replies(replies, least):
    """What is said of a wrong answer: one short sentence of its own."""
    require(
        len(replies) >= least, f"at least {least} wrong answers need a reply"
    )
    require(len(set(replies)) == len(replies), "two wrong answers share one")
    for reply in replies:
        ends = sentences(reply) == 1 and reply.endswith((".", "?"))
        require(ends, "a reply is one sentence", reply)
        require(len(reply) < LONGEST, "a reply is under 160 letters", reply)


def good_hints(hints):
    """Two hints: a nudge, then nearly all."""
    require(len(set(hints)) == 2, "two hints, and not the same")


def good_reason(why):
    require(2 <= sentences(why) <= 4, "why is two to four sentences", why)


def no_text_says(secret, texts):
    """No text holds the answer itself, whatever its spaces."""
    secret = secret.replace(" ", "")
    for text in texts:
        require(secret not in text.replace(" ", ""), "gives it away", text)


def no_number_is(right, texts):
    for text in texts:
        given = any(right(number) for number in numbers_in(text))
        require(not given, "states the number asked for", text)
