"""Video files: pictures and sound in and out, at true frame times."""
