"""Heads that ship with motionrep. They use nothing that a head of another package could not use."""
