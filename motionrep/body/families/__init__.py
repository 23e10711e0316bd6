"""One file for each family of bodies: their names, where their files come from, and how they are loaded."""
