"""What each tracked object will do."""
