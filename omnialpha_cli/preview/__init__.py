"""Show results: contact sheets, and a page with a slider between before and after.

Both are drawn from the written files, so that what is shown is what is there, whichever process made it and when.
"""
