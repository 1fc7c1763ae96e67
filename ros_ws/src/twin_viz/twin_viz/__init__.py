"""The operator view: Foxglove server, scenes and layout."""
