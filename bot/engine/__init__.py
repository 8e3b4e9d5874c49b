"""A persona on its hardware, behind one wire: the OpenAI chat-completions protocol."""
