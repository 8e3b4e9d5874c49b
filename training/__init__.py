"""The offline half: exports → messages → turns → adapter → persona. Never imported by the bot."""
