"""Messages before anyone gets them: rendered for a made-up or a real person, pictured, judged, and sent as tests."""
