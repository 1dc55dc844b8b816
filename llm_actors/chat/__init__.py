"""What a conversation is: the actor, the turn as a pure state machine, the history, the response and its views, tools, models."""
