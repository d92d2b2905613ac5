"""The playground: a page on which exported models run in the browser, as a file, a folder or from a local server."""
