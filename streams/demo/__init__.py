"""`segments demo`: a whole running system for a minute, on the embedded stack, in a terminal."""
