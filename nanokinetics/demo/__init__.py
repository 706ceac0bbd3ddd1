"""A loopback video site that the unmodified yt-dlp YouTube extractor talks to.

It opens no outgoing connection.
"""
