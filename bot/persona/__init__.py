"""The contract between training and the bot: pure Python and pydantic, no torch, no nonebot.

Knows what a message, a prompt and a sealed persona folder are. Doesn't know where messages come
from, which model reads the prompt, or where the reply goes.
"""
