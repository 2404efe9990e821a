"""Attachments as requests carry them: text that JSON leaves as it is, and one copy of it for all that send it."""

from base64 import b64encode
from weakref import WeakValueDictionary

from evalkit.dataset import Attachment


class Base64(str):
    """The bytes of an attachment in letters, digits and `+/=`, none of which JSON writes in another way."""


_SENT: "WeakValueDictionary[bytes, Base64]" = WeakValueDictionary()
"""Those of requests that there are: a PDF of 20 MB takes 0.1 s, in which nothing else is done, and 27 MB."""


def base64_of(attachment: Attachment) -> Base64:
    """The text of an attachment; that of requests which are still there, if there are any."""
    found = _SENT.get(attachment.data)
    if found is None:
        found = _SENT[attachment.data] = Base64(b64encode(attachment.data), "ascii")
    return found
