"""What a team's definitions may say."""
