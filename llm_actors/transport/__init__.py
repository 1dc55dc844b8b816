"""Bytes over the network: the only folder that imports HTTP libraries, and only when the first request is made.

pump.py       one model call: request out, bytes in, items to the sink, one ending
clients.py    the HTTP clients of one loop, shared by all its conversations: which stack is used
pool.py       the default stack: connections of httpcore, on which httpx runs, handed out in constant time
fast.py       the stack of the extra `fast`: aiohttp
request.py    what a client is asked to send
library.py    the libraries themselves, imported off the loop
kept.py       kept connections that the server has closed: the one thing that is sent twice
body.py       the body of a response, read to its end or closed cleanly before it
gathering.py  all that a read has brought in one piece
turns.py      how much all streams together do in one turn of the loop
watch.py      the timeouts of one call
fault.py      what can go wrong on the way, as our errors, without keys
fetch.py      the bytes behind an attachment's URL
"""

from .clients import Clients as Clients
from .fetch import fetch as fetch
from .pump import Pump as Pump
from .pump import WireCall as WireCall
