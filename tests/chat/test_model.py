"""Models as those who write and call them see them."""

import asyncio

import pytest

import llm_actors as llm

from .speakers import Says, SyncSays, run


@pytest.mark.parametrize("kind", [llm.Model, llm.KeyModel, llm.AsyncModel, llm.AsyncKeyModel])
def test_a_subclass_without_execute_says_so(kind):
    model = type("Bare", (kind,), {"model_id": "bare"})()

    async def main():
        with pytest.raises(NotImplementedError, match=r"has no execute\(self, prompt"):
            await model.prompt("hi").text()

    if isinstance(model, llm.AsyncModel):
        run(main())
    else:
        with pytest.raises(NotImplementedError, match=r"has no execute\(self, prompt"):
            model.prompt("hi").text()


def test_str_and_repr_name_the_class_and_the_id():
    assert (str(Says()), repr(Says())) == ("Says (async): says", "<Says (async): says>")
    assert (str(SyncSays()), repr(SyncSays())) == ("SyncSays: sync-says", "<SyncSays: sync-says>")


def test_a_key_is_found_in_the_documented_order(monkeypatch):
    """keys (explicit `key=`, keys file, environment variable) in the documented order; an explicit `key=` wins over `model.key`"""

    class Keyed(llm.AsyncKeyModel):
        model_id = "keyed"
        needs_key = "keyed"
        key_env_var = "KEYED_API_KEY"

        async def execute(self, prompt, stream, response, conversation, key):
            yield key

    async def main():
        model = Keyed()
        with pytest.raises(llm.NeedsKeyException):
            await model.prompt("hi").text()
        monkeypatch.setenv("KEYED_API_KEY", "from the environment")
        found = [await model.prompt("hi").text()]
        model.key = "of the model"
        found.append(await model.prompt("hi").text())
        found.append(await model.prompt("hi", key="of the call").text())
        return found

    assert run(main()) == ["from the environment", "of the model", "of the call"]


def test_a_model_that_needs_none_has_no_key():
    assert Says().get_key() is None
    assert Says().secret() is None
    assert Says().get_key("given") == "given"


def test_the_conversations_tools_and_hooks_hold_for_all_its_prompts():
    seen = []

    def tool() -> str:
        return "t"

    def ask_for_it(response):
        if not response.prompt.tool_results:
            response.add_tool_call(llm.ToolCall("tool", {}, "c"))

    async def main():
        conversation = Says(ask_for_it).conversation(
            tools=[tool],
            before_call=lambda tool, call: seen.append(("before", call.name)),
            after_call=lambda tool, call, result: seen.append(("after", result.output)),
            chain_limit=2,
        )
        await conversation.chain("hi")
        await conversation.ref.ask(llm.Prompt("hi", chain=True, tools=[tool]), block=False)
        await conversation.prompt("last")
        await asyncio.sleep(0)

    run(main())
    assert seen == [("before", "tool"), ("after", "t")] * 2


@pytest.mark.parametrize("stage", ["before_call", "after_call"])
def test_a_hook_that_raises_ends_the_turn_and_the_history_stays_valid(stage):
    def tool() -> str:
        return "t"

    def hook(*_):
        raise ValueError("the hook says no")

    async def main():
        conversation = Says(lambda response: response.add_tool_call(llm.ToolCall("tool", {}, "c"))).conversation()
        with pytest.raises(ValueError, match="says no"):
            await conversation.chain("hi", tools=[tool], **{stage: hook})
        assert [message.role for message in conversation.messages()] == ["user", "assistant", "tool"]

    run(main())


def test_a_call_refused_in_before_call_is_told_to_the_model():
    """Raise it in `before_call` to refuse a call: the model is told `Cancelled: text` and goes on."""

    def tool() -> str:
        return "t"

    def refuse(tool, call):
        raise llm.CancelToolCall("not today")

    def ask_once(response):
        if not response.prompt.tool_results:
            response.add_tool_call(llm.ToolCall("tool", {}, "c"))

    async def main():
        model = Says(ask_once, "ok")
        assert await model.chain("hi", tools=[tool], before_call=refuse).text() == "ok ok"
        return [result.output for result in model.prompts[1].tool_results]

    assert run(main()) == ["Cancelled: not today"]


@pytest.mark.parametrize("stage", ["before_call", "after_call"])
def test_a_turn_is_cancelled_while_a_hook_runs(stage):
    async def main():
        entered, left = asyncio.Event(), asyncio.Event()

        async def hook(*_):
            entered.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                left.set()

        async def tool() -> str:
            return "t"

        conversation = Says(lambda response: response.add_tool_call(llm.ToolCall("tool", {}, "c"))).conversation()
        response = conversation.chain("hi", tools=[tool], **{stage: hook})
        await entered.wait()
        await response.cancel()
        assert left.is_set()
        with pytest.raises(llm.ResponseCancelledError):
            await response.text()
        assert [message.role for message in conversation.messages()] == ["user", "assistant", "tool"]

    run(main())


def test_a_result_whose_own_text_fails_is_the_tools_failure():
    class Awkward:
        def __str__(self):
            raise ValueError("no text")

        __repr__ = __str__

    def tool():
        return Awkward()

    def ask_once(response):
        if not response.prompt.tool_results:
            response.add_tool_call(llm.ToolCall("tool", {}, "c"))

    async def main():
        model = Says(ask_once)
        await model.chain("hi", tools=[tool])
        return model.prompts[1].tool_results[0].output

    assert run(main()) == "Error: no text"


def test_a_tool_that_takes_llm_tool_call_gets_the_call():
    got = []

    def tool(n: int, llm_tool_call: llm.ToolCall) -> str:
        got.append((n, llm_tool_call.tool_call_id))
        return "t"

    def ask_once(response):
        if not response.prompt.tool_results:
            response.add_tool_call(llm.ToolCall("tool", {"n": 1}, "c"))

    async def main():
        await Says(ask_once).chain("hi", tools=[tool])

    run(main())
    assert got == [(1, "c")]
