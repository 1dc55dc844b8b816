import llm_actors as llm

model = llm.get_model("gpt-4o-mini")
text = model.prompt("Five surprising names for a pet pelican").text()
print(text)
