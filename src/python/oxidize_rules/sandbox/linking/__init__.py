"""The link: its request, its checks of the result, and the inventory of what it took."""
