"""Work on colours: take screen light out, spread colours to where none are known."""
