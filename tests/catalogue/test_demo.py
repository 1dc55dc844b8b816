from llm_actors.catalogue.demo import play
from llm_actors.catalogue.registry import Catalogue
from llm_actors.messages import ModelRequest, user
from llm_actors.providers.scripted import DemoOptions


def test_demo_is_a_model_in_both_dresses_that_needs_no_key():
    for model in (Catalogue().get_model("demo"), Catalogue().get_async_model("demo")):
        assert model.model_id == "demo"
        assert model.needs_key is None
        assert model.supports_tools
        assert model.supports_schema
        assert model.Options is DemoOptions


def test_its_options_set_pace_and_thinking():
    words = ModelRequest("demo", [user("hello there")], options={"pace": 0.5, "thinking": True})
    script = play(words)
    assert {step.delay for step in script.steps} == {0.5}
    assert any(not isinstance(item, str) and item.type == "reasoning" for step in script.steps for item in step.items)


def test_without_options_it_answers_at_once():
    script = play(ModelRequest("demo", [user("hello there")]))
    assert [step.delay for step in script.steps] == [0.0]
