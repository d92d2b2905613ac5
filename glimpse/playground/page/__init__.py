"""The page of the playground: its markup, style and scripts, in files of their own."""
