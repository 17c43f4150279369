"""Hold the terminal's part: commands, options, messages. Only here the program prints, and only here it exits."""
