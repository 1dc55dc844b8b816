import llm_actors as llm


async def hello(name: str) -> str:
    "Say hello to name"
    return "Hello there " + name


# Works in a sync context too
model = llm.get_model("gpt-4.1-mini")
chain_response = model.chain("Say hello to Percival", tools=[hello])
print(chain_response.text())
