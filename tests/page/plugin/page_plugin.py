"""A plugin as users write them, on the path of the programs under test: it tells what happened, and knows one more model.

PAGE_RECORDS    the file that gets a line of JSON for each observer record
PAGE_BASE_URL   where the model `real` is: an OpenAI-compatible server whose small model has to be made to call tools
"""

import json
import os
from pathlib import Path

import llm_actors as llm
from llm_actors.actor_system import default_system
from llm_actors.extras import local


def register(register_model):
    default_system.observers.append(observe)
    if "PAGE_LENGTH" in os.environ:
        local.SMALL_MODEL.update(answer=int(os.environ["PAGE_LENGTH"]), temperature=0.0)
    if "PAGE_BASE_URL" in os.environ:
        register_model(llm.endpoint("real", base_url=os.environ["PAGE_BASE_URL"], dialect="embedded"))


def observe(record):
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    with Path(os.environ["PAGE_RECORDS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": type(record).__name__, **values}) + "\n")
