-- Which kinds of password hashes users have, counted once a minute: a login that nobody has is checked like one of them.
--
-- A kind is what the time of a check depends on: the beginning of the hash up to its salt, and the mark at the beginning
-- of the salt (`NFC` in base64) of those that are of the password's NFC form. '' is any other hash: none is checked.

alter table users add column hash_kind text not null generated always as (
    case
        when password_hash glob 'pbkdf2_sha256$*$*'
            then substr(password_hash, 1, 14 + instr(substr(password_hash, 15), '$'))
        when password_hash glob '$argon2id$v=19$*$*'
            then substr(password_hash, 1, 15 + instr(substr(password_hash, 16), '$'))
                || iif(substr(password_hash, 16 + instr(substr(password_hash, 16), '$'), 4) = 'TkZD', 'TkZD', '')
        else ''
    end
) virtual;

create index users_by_hash_kind on users (hash_kind);
drop index users_with_imported_password;
