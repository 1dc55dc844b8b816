"""Attachments as values: what they are, where their bytes come from, what can't be known."""

import base64
import hashlib

import pytest

from llm_actors.messages import Attachment
from llm_actors.messages.attachment import sniff

PNG = b"\x89PNG\r\n\x1a\n..."


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", "audio/wav"),
        (b"%PDF-1.4", "application/pdf"),
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"nothing known", None),
    ],
)
def test_the_first_bytes_tell_the_type(head, media_type):
    assert sniff(head) == media_type


def test_a_type_is_what_was_given_then_the_bytes_then_the_name_then_text_or_not(tmp_path):
    assert Attachment(type="x/y", content=PNG).resolve_type() == "x/y"
    path = tmp_path / "picture.gif"
    path.write_bytes(PNG)
    assert Attachment(path=str(path)).resolve_type() == "image/png"
    path = tmp_path / "table.csv"
    path.write_text("a,b")
    assert Attachment(path=str(path)).resolve_type() == "text/csv"
    assert Attachment(content="naïve".encode()).resolve_type() == "text/plain"
    assert (
        Attachment(content=b"a" * 31 + "é".encode()).resolve_type() == "text/plain"
    )  # the 32nd byte is half a character
    assert Attachment(content=b"\xff\xfe\0\1").resolve_type() == "application/octet-stream"
    assert Attachment(content=b"\x80abc").resolve_type() == "application/octet-stream"
    assert Attachment(url="http://x/a/pelican.png?size=2#top").resolve_type() == "image/png"


@pytest.mark.parametrize("nothing", [Attachment(), Attachment(url="http://x/pelican")])
def test_a_type_that_nothing_tells_is_an_error(nothing):
    with pytest.raises(ValueError, match="Attachment has no type and no content to derive it from"):
        nothing.resolve_type()


def test_bytes_come_from_memory_or_the_file_and_a_url_is_not_fetched_here(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(PNG)
    for attachment in (Attachment(content=PNG), Attachment(path=str(path))):
        assert attachment.content_bytes() == PNG
        assert base64.b64decode(attachment.base64_content()) == PNG
        assert attachment.id() == hashlib.sha256(PNG).hexdigest()
    url = Attachment(url="http://x/a")
    assert url.id() == hashlib.sha256(b'{"url": "http://x/a"}').hexdigest()
    with pytest.raises(ValueError, match="URL"):
        url.content_bytes()


def test_a_repr_is_short():
    assert repr(Attachment(content=b"x" * 5000, type="text/plain")) == "<Attachment: type='text/plain', 5000 bytes>"
    assert repr(Attachment(content=b"x")) == "<Attachment: 1 bytes>"
