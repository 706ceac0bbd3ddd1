"""A local video site for the unmodified YouTube extractor of yt-dlp.

The site opens no outgoing connection.
"""
