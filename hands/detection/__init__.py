"""Hands in pictures: searched, followed, followed back; where and with what confidence."""
