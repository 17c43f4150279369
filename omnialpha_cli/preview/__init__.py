"""Show results, drawn from the written files: contact sheets, and a page with a slider of before and after."""
