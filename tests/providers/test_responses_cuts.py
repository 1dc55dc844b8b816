"""Each recording of Responses fed whole, byte by byte, split and cut everywhere, and with broken bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.errors import ModelError

from .feeding import decode
from .responses_recordings import RECORDINGS, RESPONSES
from .wire_recording import check_any_split, check_cuts, check_flips, check_splits, check_whole

# types/responses/response_stream_event.py of the openai package 3.57.0
EVENT_TYPES = """
audio.delta audio.done audio.transcript.delta audio.transcript.done code_interpreter_call_code.delta
code_interpreter_call_code.done code_interpreter_call.completed code_interpreter_call.in_progress
code_interpreter_call.interpreting compaction.compacting completed content_part.added content_part.done created
file_search_call.completed file_search_call.in_progress file_search_call.searching function_call_arguments.delta
function_call_arguments.done shell_call_command.added shell_call_command.delta shell_call_command.done
shell_call_output_content.delta shell_call_output_content.done in_progress failed incomplete output_item.added
output_item.done reasoning_summary_part.added reasoning_summary_part.done reasoning_summary_text.delta
reasoning_summary_text.done reasoning_text.delta reasoning_text.done refusal.delta refusal.done output_text.delta
output_text.done web_search_call.completed web_search_call.in_progress web_search_call.searching
image_generation_call.completed image_generation_call.generating image_generation_call.in_progress
image_generation_call.partial_image mcp_call_arguments.delta mcp_call_arguments.done mcp_call.completed mcp_call.failed
mcp_call.in_progress mcp_list_tools.completed mcp_list_tools.failed mcp_list_tools.in_progress
output_text.annotation.added queued custom_tool_call_input.delta custom_tool_call_input.done
"""

each_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)


def test_every_type_of_event_that_openai_has_is_in_a_recording():
    recorded = b"".join([recording.body for recording in RECORDINGS])
    missing = [kind for kind in EVENT_TYPES.split() if f'"type":"response.{kind}"'.encode() not in recorded]
    assert missing == []
    assert b'"type":"error"' in recorded


@each_recording
def test_a_recording_comes_to_what_it_says(recording):
    check_whole(recording)


@each_recording
def test_a_recording_split_at_any_offset_gives_the_same_items_and_the_same_end(recording):
    check_splits(recording)


@each_recording
def test_a_recording_cut_before_its_terminal_fact_is_an_error_and_behind_it_the_answer(recording):
    check_cuts(recording)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RECORDINGS), st.lists(st.integers(0, 9000), max_size=30))
def test_any_split_gives_the_same_items_and_the_same_end(recording, places):
    check_any_split(recording, places)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(RECORDINGS), st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_flipped_bytes_give_an_answer_or_a_typed_error(recording, flips):
    check_flips(recording, flips)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([{}, {"content-type": "text/event-stream"}, {"content-type": "application/json"}]),
)
def test_arbitrary_bytes_are_a_typed_error_never_an_answer(body, headers):
    assert isinstance(decode([body], headers, provider=RESPONSES).error, ModelError)
