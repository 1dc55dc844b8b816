"""The vocabulary: what is said to a model and what comes back, as plain values.

    parts.py       text, reasoning, tool calls and results, attachments; a Message is a role and its parts
    attachment.py  bytes, a path or a URL, with a media type
    events.py      what a stream is made of: chunks of text and StreamEvents
    assembly.py    messages from the items of a stream
    tools.py       a call asked for by a model, and its result
    prompt.py      what one prompt asks, Options
    request.py     one model call as a provider sees it, and how it ended
    answer.py      what is published of an answer
    secret.py      a key that never shows itself

Everything here is data: no I/O but reading an attachment's file when it is asked to, no clock, no thread.
"""

from .answer import Answer as Answer
from .assembly import assemble as assemble
from .attachment import Attachment as Attachment
from .events import Event as Event
from .events import Item as Item
from .events import StreamEvent as StreamEvent
from .parts import AttachmentPart as AttachmentPart
from .parts import Message as Message
from .parts import Part as Part
from .parts import ReasoningPart as ReasoningPart
from .parts import TextPart as TextPart
from .parts import ToolCallPart as ToolCallPart
from .parts import ToolResultPart as ToolResultPart
from .parts import assistant as assistant
from .parts import system as system
from .parts import tool_message as tool_message
from .parts import user as user
from .prompt import Options as Options
from .prompt import Prompt as Prompt
from .request import ModelRequest as ModelRequest
from .request import RateLimit as RateLimit
from .request import RateLimits as RateLimits
from .request import RoundResult as RoundResult
from .request import StopReason as StopReason
from .request import ToolSpec as ToolSpec
from .request import Usage as Usage
from .secret import Secret as Secret
from .tools import ToolCall as ToolCall
from .tools import ToolOutput as ToolOutput
from .tools import ToolResult as ToolResult
