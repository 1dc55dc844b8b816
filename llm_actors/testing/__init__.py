"""What tests of programs on this library need; public.

simulation.py       Simulation, run(): programs in virtual time, the same for the same seed
trace.py            Trace: what happened in one, in bytes that can be compared
scripted_model.py   ScriptedModel: a model that says what a test tells it, event by event
memory.py           MemoryServer: a scripted HTTP server without a network (imports httpx: from llm_actors.testing.memory import ...)
cassette.py         Cassette: real traffic recorded and replayed (imports httpx: from llm_actors.testing.cassette import ...)
server.py           ScriptedServer: an HTTP server in a process of its own that does what a script says
script.py           what the scripts of both servers are made of: answers, steps, recorded requests
wire_openai.py      what both say without a script: OpenAI chat completions by rule
                     wire_responses.py, wire_anthropic.py, wire_gemini.py, wire_ollama.py: the same in the words of each
plugin.py           fixtures for pytest

Behind them: virtual_loop.py, virtual_clock.py, step_threads.py, stuck.py (simulation); player.py, serving.py (servers); tape.py (cassette).
"""

from .script import Answer as Answer
from .script import Close as Close
from .script import Gate as Gate
from .script import Recorded as Recorded
from .script import Reset as Reset
from .script import Send as Send
from .script import Speak as Speak
from .script import Stall as Stall
from .script import Step as Step
from .script import Trickle as Trickle
from .script import Wait as Wait
from .script import chunk as chunk
from .script import events as events
from .script import head as head
from .script import reply as reply
from .scripted_model import ScriptedModel as ScriptedModel
from .scripted_model import Spoken as Spoken
from .scripted_model import calls as calls
from .scripted_model import fails as fails
from .scripted_model import says as says
from .scripted_model import thinks as thinks
from .server import ScriptedServer as ScriptedServer
from .simulation import Simulation as Simulation
from .simulation import run as run
from .trace import Trace as Trace
