"""The terminal: commands, options, messages. Only here is anything printed, and only here does the program exit."""
