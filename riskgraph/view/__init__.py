"""Pictures of a network for people who were not in the room."""
