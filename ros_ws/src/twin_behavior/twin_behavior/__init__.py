"""What each tracked object is doing."""
