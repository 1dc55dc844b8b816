import llm_actors as llm


def celsius_to_fahrenheit(celsius: float) -> float:
    """Convert a temperature from Celsius to Fahrenheit."""
    return celsius * 9 / 5 + 32


model = llm.get_model("gpt-4.1-mini")
conversation = model.conversation(tools=[celsius_to_fahrenheit])
# Turn 1: let the model decide to call the tool
print("=== Turn 1 ===")
for chunk in conversation.chain("What is 100°C in Fahrenheit?"):
    print(chunk, end="", flush=True)
print()
# Turn 2: follow-up, the model still has context
print("\n=== Turn 2 ===")
r2 = conversation.chain("And -40°C?").text()
print(r2)
# Show token usage for each turn
print("\n=== Usage ===")
for i, response in enumerate(conversation.responses, 1):
    usage = response.usage()
    print(f"Turn {i}: input={usage.input}, output={usage.output}")
