"""The commands of `motionrep`, one module each: `add_options` says what can be typed, `run` does it."""
