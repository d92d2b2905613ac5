"""The page `How a glimpse works`: a picture, the grid of Gaussians over it, the numbers read through it, and the equations."""
