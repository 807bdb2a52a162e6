"""Brings finished files to targets: directories, SFTP servers, HTTPS servers; encrypted where that is wanted."""
