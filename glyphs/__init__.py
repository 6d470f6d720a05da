"""What the scripts share: reading pictures, datasets, networks, training, inference."""
