import llm_actors as llm

model = llm.get_model("gpt-4o-mini")
response = model.prompt("a short poem about a brick")


def done(response):
    print("Usage:", response.usage())


response.on_done(done)  # registers the callback
print(response.text())  # drives the stream; callback fires at end
