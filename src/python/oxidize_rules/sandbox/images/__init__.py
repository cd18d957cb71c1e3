"""What goes into an executable: components, filters, native libraries, checks, and the image."""
