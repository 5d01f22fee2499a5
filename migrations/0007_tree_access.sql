-- Who may do what (authentication of the v2 API). Written anew as a whole with each change; state.checksum speaks of it, too.

CREATE TABLE access(
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    enabled INTEGER NOT NULL        -- 1: users and roles count; no row, or 0: everybody may do everything
) STRICT;

CREATE TABLE users(
    name      TEXT PRIMARY KEY,
    password  TEXT NOT NULL,        -- a hash that says how it was made
    has_roles INTEGER NOT NULL      -- 0: no list of roles was ever given
) STRICT;

CREATE TABLE user_roles(
    user     TEXT NOT NULL,
    position INTEGER NOT NULL,
    role     TEXT NOT NULL,         -- may not exist
    PRIMARY KEY (user, position)
) STRICT, WITHOUT ROWID;

-- The role root is built in: everything.
CREATE TABLE roles(
    name      TEXT PRIMARY KEY,
    has_read  INTEGER NOT NULL,     -- 0: no list of patterns was ever given
    has_write INTEGER NOT NULL
) STRICT;

CREATE TABLE role_patterns(
    role     TEXT NOT NULL,
    act      TEXT NOT NULL,         -- read, write
    position INTEGER NOT NULL,
    pattern  TEXT NOT NULL,         -- ends in *: all keys that begin so; else this key
    PRIMARY KEY (role, act, position)
) STRICT, WITHOUT ROWID;

-- What a plain shell should read: sqlite3 member/tree.db "select * from rights"
CREATE VIEW rights AS
SELECT user_roles.user, user_roles.role, role_patterns.act, role_patterns.pattern
FROM user_roles LEFT JOIN role_patterns ON role_patterns.role = user_roles.role
UNION ALL
SELECT '(guests)', 'guest', act, pattern FROM role_patterns WHERE role = 'guest';

