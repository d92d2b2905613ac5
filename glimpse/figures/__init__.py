"""What every picture shares: style, windows on images, sheets, curves, PNG and GIF files."""
