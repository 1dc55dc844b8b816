import llm_actors as llm

model = llm.get_model("gpt-4o-mini")
conversation = model.conversation()
r1 = conversation.prompt("Five fun facts about pelicans").text()
print(r1)
r2 = conversation.prompt("Now do skunks").text()
print(r2)
