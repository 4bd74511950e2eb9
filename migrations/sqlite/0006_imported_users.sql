-- Whom an import has brought over, so that none brings them again: who has since changed their address, logged
-- out or deleted the account must not come back as they were. Rows outlive the user, and hold the number alone.

create table imported_users (
    id integer primary key, -- the number there, and here
    verified integer not null check (verified in (0, 1)), -- 0: as an attempt to register
    imported_at integer not null
) strict;
