"""One call: asked, decided, recorded, explained."""
