"""The commands of `motionrep`, one module each: `add_options` says what can be typed, `run` does it.

`--help` and wrong arguments answer at once, so a module imports nothing that brings torch. What a command runs with is
imported inside `run`, after a look at the files that it was given. `EXAMPLES` stand at the end of its help.
"""
