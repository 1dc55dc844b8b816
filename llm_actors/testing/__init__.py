"""What tests of programs on this library need; public.

server.py        ScriptedServer: an HTTP server in a process of its own that does what a script says
script.py        what a script is made of: answers, steps, recorded requests
wire_openai.py   what it says without a script: OpenAI chat completions by rule
serving.py       the server's process
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
from .server import ScriptedServer as ScriptedServer
