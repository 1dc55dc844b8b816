"""Attachments end to end: files are read and URLs fetched off the loop, with bounds, and what can't be had is a typed error."""

import base64

import pytest

import llm_actors as llm
from llm_actors.testing import reply

from .worlds import World

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
PDF = b"%PDF-1.7 pages"


@pytest.fixture
def pair(server):
    return llm.endpoint(
        "m",
        base_url=server.base_url,
        key="sk-test",
        attachment_types=("image/png", "application/pdf"),
        limits=llm.Limits(attachment=64),
    )


def last_user_parts(request):
    return request.json()["messages"][-1]["content"]


def test_a_file_goes_to_the_model_as_its_bytes(server, pair, dress, run, tmp_path):
    world = World(dress)
    path = tmp_path / "pelican.png"
    path.write_bytes(PNG)

    async def main():
        await world.text(world.model(pair).prompt("what is it?", attachments=[llm.Attachment(path=str(path))]))

    run(main())
    image = last_user_parts(server.requests[0])[-1]
    assert image["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG).decode()


def test_a_url_of_a_document_is_fetched_by_us_and_an_image_by_the_provider(server, pair, dress, run):
    world = World(dress)
    server.play(reply(200, PDF, content_type="application/pdf"))

    async def main():
        files = [llm.Attachment(url=f"{server.url}/paper.pdf"), llm.Attachment(url="http://pictures.invalid/a.png")]
        await world.text(world.model(pair).prompt("read it", attachments=files))

    run(main())
    fetched, asked = server.requests
    assert fetched.path == "/paper.pdf"
    document, image = last_user_parts(asked)[-2:]
    assert base64.b64encode(PDF).decode() in document["file"]["file_data"]
    assert image["image_url"]["url"] == "http://pictures.invalid/a.png"


def test_a_file_that_is_not_there_too_large_or_not_of_a_type_the_model_takes_is_a_typed_error(
    server, pair, dress, run, tmp_path
):
    world = World(dress)
    server.play(reply(200, PDF * 10, content_type="application/pdf"))

    async def main():
        model = world.model(pair)
        with pytest.raises(llm.AttachmentError, match="does not support attachments of type 'image/gif'"):
            model.prompt("x", attachments=[llm.Attachment(content=b"GIF89a")])
        gone = tmp_path / "gone.png"
        gone.write_bytes(PNG)
        missing = model.conversation().prompt("x", attachments=[llm.Attachment(type="image/png", path=str(gone) + "x")])
        assert isinstance(await world.error(missing), llm.AttachmentError)
        large = model.prompt("x", attachments=[llm.Attachment(url=f"{server.url}/large.pdf")])
        error = await world.error(large)
        assert isinstance(error, llm.AttachmentError)
        assert "64" in str(error)

    run(main())
    assert [request.path for request in server.requests] == ["/large.pdf"]
