"""Partners' reasons made aggregatable: no personal data, no numbers that make each one unique."""

import re
from typing import Final

REASON_MAX: Final = 200
"""Longest reason, in characters."""
_READ_MAX: Final = 1000
"""Characters of the partner's text that are looked at; the expressions below are bounded too."""
_MASKS: Final = (
    (re.compile(r"(https?://[^\s?#]{1,300})[?#]\S*"), r"\1"),
    (re.compile(r"[^\s@<>\"'():,;=]{1,64}@[^\s@<>\"'():,;=]{1,255}"), "<email>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\"[^\"]{0,200}\"|(?<!\w)'[^']{0,200}'(?!\w)|“[^”]{0,200}”"), "<value>"),
    (re.compile(r"\b(?=[a-f]*[0-9])[0-9a-f]{12,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\+?[0-9](?:[ ().-]{0,2}[0-9]){6,}"), "#"),
    (re.compile(r"[0-9]{4,}"), "#"),
    (re.compile(r"\s+"), " "),
)


def normalise(text: str) -> str | None:
    """Return a reason that can be grouped by, or None when nothing is left.

    URLs lose their query; addresses of mail become `<email>`, quoted strings `<value>`, UUIDs
    and long hexadecimal words `<id>`, telephone numbers and runs of four or more digits `#`;
    white space is joined and the result cut to `REASON_MAX` characters.
    """
    text = text[:_READ_MAX]
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text.strip()[:REASON_MAX].rstrip() or None
