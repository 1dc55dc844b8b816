import asyncio

import pytest

from llm_actors.chat.attachments import check, resolve
from llm_actors.errors import AttachmentError
from llm_actors.messages import Attachment, AttachmentPart, Message, ToolResultPart, user

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
PDF = b"%PDF-1.7 and so on"


class World:
    """A web of pages, and a list of what was asked of it and of what was read off the loop."""

    def __init__(self, pages=None):
        self.pages = pages or {}
        self.fetched = []
        self.blocking = 0

    async def fetch(self, url):
        self.fetched.append(url)
        return self.pages[url]

    async def run_blocking(self, function):
        self.blocking += 1
        return function()

    def resolve(self, *messages, keep_urls=False, accepted=("*/*",), limit=1000):
        return asyncio.run(
            resolve(
                messages,
                self.fetch,
                keep_urls=keep_urls,
                accepted=accepted,
                limit=limit,
                run_blocking=self.run_blocking,
            )
        )

    def one(self, attachment, **more):
        (message,) = self.resolve(user(attachment), **more)
        return message.parts[0].attachment


def test_a_model_that_takes_none_says_so_in_the_peers_words():
    with pytest.raises(AttachmentError) as caught:
        check([Attachment(content=PNG)], frozenset(), "Model: m")
    assert str(caught.value) == "This model does not support attachments"
    assert caught.value.__notes__ == ["model: Model: m"]
    assert isinstance(caught.value, ValueError)


def test_a_type_that_is_not_taken_is_named_with_those_that_are():
    with pytest.raises(AttachmentError) as caught:
        check([Attachment(content=PNG), Attachment(content=PDF)], {"image/png", "audio/wav"}, "m")
    assert (
        str(caught.value)
        == "This model does not support attachments of type 'application/pdf', only audio/wav, image/png"
    )


@pytest.mark.parametrize(
    ("attachment", "accepted"),
    [
        (Attachment(content=PNG), {"image/png"}),
        (Attachment(content=PNG), ("image/*",)),
        (Attachment(content=PDF), {"*/*"}),
        (Attachment(type="audio/x-wav", content=b"?"), {"audio/wav"}),
        (Attachment(type="IMAGE/PNG; q=1", content=b"?"), {"image/png"}),
        (Attachment(url="https://a.example/picture.png?x=1"), {"image/png"}),
        (Attachment(url="https://a.example/picture"), {"image/png"}),
    ],
)
def test_what_fits_passes_the_check_without_the_network(attachment, accepted):
    check([attachment], accepted, "m")


def test_no_attachments_need_no_support():
    check([], (), "m")


def test_an_attachment_without_anything_is_refused():
    with pytest.raises(AttachmentError, match="no type and no content"):
        check([Attachment()], {"*/*"}, "m")
    with pytest.raises(AttachmentError, match="neither"):
        World().one(Attachment(type="image/png"))


def test_a_file_that_is_not_there_is_a_typed_error_at_the_call_and_later(tmp_path):
    gone = Attachment(path=str(tmp_path / "gone.png"))
    with pytest.raises(AttachmentError, match=r"gone.png can't be read: No such file"):
        check([gone], {"*/*"}, "m")
    with pytest.raises(AttachmentError, match=r"gone.png can't be read: No such file"):
        World().one(Attachment(type="image/png", path=gone.path))


def test_messages_without_attachments_are_the_same_objects():
    messages = [user("a"), Message("tool", [ToolResultPart("t", "o")]), Message("user", [AttachmentPart()])]
    out = World().resolve(*messages)
    assert all(new is old for new, old in zip(out, messages, strict=True))


def test_content_gets_its_type():
    assert World().one(Attachment(content=PNG)) == Attachment(type="image/png", content=PNG)


def test_a_file_is_read_off_the_loop_and_once(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    world = World()
    first, second = world.resolve(user("x", Attachment(path=str(path))), user(Attachment(path=str(path)), "y"))
    assert first.parts[0].text == "x"
    assert first.parts[1].attachment == Attachment(type="image/png", content=PNG)
    assert second.parts[0].attachment is first.parts[1].attachment
    assert world.blocking == 1


def test_the_name_of_a_file_tells_where_its_bytes_do_not(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b")
    assert World().one(Attachment(path=str(path))).type == "text/csv"


def test_a_file_over_the_limit_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with pytest.raises(AttachmentError, match="larger than 10 bytes"):
        World().one(Attachment(path=str(path)), limit=10)
    assert World().one(Attachment(path=str(path)), limit=len(PNG)).content == PNG


def test_a_url_is_fetched_once_and_sent_as_bytes():
    world = World({"https://a.example/x": ("text/html", PNG)})
    first, second = world.resolve(
        user(Attachment(url="https://a.example/x")), user(Attachment(url="https://a.example/x"))
    )
    assert first.parts[0].attachment == second.parts[0].attachment == Attachment(type="image/png", content=PNG)
    assert world.fetched == ["https://a.example/x"]


@pytest.mark.parametrize(
    ("url", "given", "served", "found"),
    [
        ("https://a.example/x", None, "text/csv; charset=utf-8", "text/csv"),
        ("https://a.example/x", "text/markdown", "text/html", "text/markdown"),
        ("https://a.example/x.csv", None, "application/octet-stream", "text/csv"),
        ("https://a.example/x", None, None, "text/plain"),
        ("https://a.example/x", None, "", "text/plain"),
    ],
)
def test_the_type_of_a_url_is_the_given_then_the_servers_then_the_endings(url, given, served, found):
    world = World({url: (served, b"a,b")})
    assert world.one(Attachment(type=given, url=url)) == Attachment(type=found, content=b"a,b")


def test_an_image_stays_a_url_for_a_provider_that_fetches_itself():
    world = World({"https://a.example/x": ("image/png", PNG), "https://a.example/x.pdf": ("application/pdf", PDF)})
    assert world.one(Attachment(url="https://a.example/x.png"), keep_urls=True) == Attachment(
        type="image/png", url="https://a.example/x.png"
    )
    assert (
        world.one(Attachment(type="image/webp", url="https://a.example/x"), keep_urls=True).url == "https://a.example/x"
    )
    assert world.fetched == []
    assert world.one(Attachment(url="https://a.example/x"), keep_urls=True) == Attachment(type="image/png", content=PNG)
    assert world.one(Attachment(url="https://a.example/x.pdf"), keep_urls=True).content == PDF


def test_a_fetched_type_that_is_not_taken_is_refused_in_the_peers_words():
    world = World({"https://a.example/x": ("application/pdf", PDF)})
    with pytest.raises(AttachmentError, match="does not support attachments of type 'application/pdf', only image/png"):
        world.one(Attachment(url="https://a.example/x"), accepted={"image/png"})


def test_a_fetched_url_over_the_limit_is_refused():
    world = World({"https://a.example/x": ("image/png", PNG)})
    with pytest.raises(AttachmentError, match=r"https://a.example/x is larger than 10 bytes"):
        world.one(Attachment(url="https://a.example/x"), limit=10)


def test_the_files_of_tool_results_are_resolved_too(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(PDF)
    part = ToolResultPart("t", "o", attachments=[Attachment(path=str(path))])
    (message,) = World().resolve(Message("tool", [part, ToolResultPart("u", "p")]))
    assert message.parts[0].attachments == [Attachment(type="application/pdf", content=PDF)]
