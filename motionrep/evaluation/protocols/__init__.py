"""The published evaluation protocols, each with an id: numbers of different ids mean different things."""
