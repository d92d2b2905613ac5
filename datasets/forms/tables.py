"""Tables of labeled images: a row for each image, with the path of its picture or with its pixels.

Dimensions: N images of H x W pixels in C channels.
"""
