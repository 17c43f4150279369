"""Work on colours: screen light taken out, colours spread to where none are known."""
