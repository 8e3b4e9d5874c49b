"""NoneBot plugins: platform events in, the bot's sending out. Load with `nonebot.load_plugin("plugins.chat")`."""
