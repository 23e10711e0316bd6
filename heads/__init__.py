"""Heads that ship with motionrep; third-party heads register the same way, by entry point `motionrep.heads`."""
