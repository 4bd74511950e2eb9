-- Users whose password hash was imported and not replaced yet: counted once a minute, so that the count is cheap.
create index users_with_imported_password on users (id) where password_hash glob 'pbkdf2_sha256$*';
