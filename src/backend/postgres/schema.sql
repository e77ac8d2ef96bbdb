-- Sessions of tower-wx-session, version 1. It does no harm to apply this twice.
-- A user of the store needs SELECT on {prefix}_schema, and SELECT, INSERT, UPDATE and DELETE on the others.

CREATE TABLE IF NOT EXISTS {prefix}_sessions (
    -- As SessionId prints it: the first characters are those of the user's other sessions.
    id            text COLLATE "C" PRIMARY KEY,
    -- Counts the updates of the row.
    revision      integer NOT NULL DEFAULT 0,
    -- A digest of appid and openid.
    user_key      text COLLATE "C" NOT NULL,
    -- UTF-8, in which a zero may stand: encode(openid, 'escape') shows it.
    appid         bytea NOT NULL,
    openid        bytea NOT NULL,
    unionid       bytea,
    issued_at     timestamptz NOT NULL,
    absolute_end  timestamptz NOT NULL,
    idle_timeout  interval NOT NULL,
    idle_deadline timestamptz NOT NULL,
    last_used     timestamptz,
    -- The end of the grace that a rotation or a newer login has left, and what took the session's place.
    retires_at    timestamptz,
    successor     text COLLATE "C",
    -- When and why it was revoked: logged_out, kicked_out, replaced or session_key_expired.
    revoked_at    timestamptz,
    reason        text,
    -- When the row may be deleted; up to an hour later while the session lives, so that few updates move it.
    kept_until    timestamptz NOT NULL,
    -- The application's data, as JSON in UTF-8.
    data          bytea
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX IF NOT EXISTS {prefix}_sessions_user ON {prefix}_sessions (user_key) WHERE revoked_at IS NULL;
CREATE INDEX IF NOT EXISTS {prefix}_sessions_kept_until ON {prefix}_sessions (kept_until);

-- The platform's session_keys of a user, sealed.
CREATE TABLE IF NOT EXISTS {prefix}_session_keys (
    user_key   text COLLATE "C" PRIMARY KEY,
    keys       bytea NOT NULL,
    kept_until timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS {prefix}_session_keys_kept_until ON {prefix}_session_keys (kept_until);

-- What forged tokens are told by. Losing it ends nobody's session.
CREATE TABLE IF NOT EXISTS {prefix}_tag_keys (
    key bytea PRIMARY KEY
);

-- What is above has this version, and works with releases that know `works_with`.
CREATE TABLE IF NOT EXISTS {prefix}_schema (
    version    integer PRIMARY KEY,
    works_with integer NOT NULL
);
INSERT INTO {prefix}_schema (version, works_with) VALUES (1, 1) ON CONFLICT DO NOTHING;
