"""The command line, thin over the library: `motionrep COMMAND --help` explains each command."""
