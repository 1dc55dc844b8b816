"""The OpenAI SDK with its extra `aiohttp`."""

import openai
from peers import openai_sdk
from peers.openai_sdk import close_peer, open_peer, talk

__all__ = ["close_peer", "open_peer", "talk"]

openai_sdk.http_client = openai.DefaultAioHttpClient
