use super::names::Names;

/// The columns that a row is read from, as `rows.rs` knows them.
const COLUMNS: &str = "s.id, s.revision, s.appid, s.openid, s.unionid, s.issued_at, s.absolute_end, \
    s.idle_timeout, s.idle_deadline, s.last_used, s.retires_at, s.successor, s.revoked_at, s.reason, \
    s.kept_until, s.data";

/// Each statement of a store, with the names of its tables.
///
/// Every parameter has its type where it is given, so that no statement has to be prepared: a name
/// that this process has given a statement may be another process's behind a pooler.
#[derive(Clone, Debug)]
pub(super) struct Statements {
    pub(super) load: String,
    pub(super) list: String,
    pub(super) lock: String,
    pub(super) read_locked: String,
    pub(super) insert: String,
    pub(super) insert_new: String,
    pub(super) update: String,
    pub(super) update_if_unchanged: String,
    pub(super) session_keys: String,
    pub(super) put_session_keys: String,
    pub(super) tag_keys: String,
    pub(super) add_tag_key: String,
    pub(super) delete_sessions: String,
    pub(super) delete_session_keys: String,
}

/// The server's time comes with every answer, and one row without a session where there is none.
const LOAD: &str = "SELECT clock.now, {columns} FROM (SELECT clock_timestamp() AS now) AS clock \
    LEFT JOIN {prefix}_sessions AS s ON s.id = ANY ($1)";

const LIST: &str = "SELECT clock.now, {columns} FROM (SELECT clock_timestamp() AS now) AS clock \
    LEFT JOIN {prefix}_sessions AS s ON s.user_key = $1 AND s.revoked_at IS NULL";

/// The time is read once the lock is there.
const LOCK: &str = "SELECT clock_timestamp() FROM pg_advisory_xact_lock($1, $2)";

/// A statement of its own behind the lock: what it sees is as new as the moment in which it begins.
/// The rows are locked, too, because updates of single sessions do without the user's lock. The user is
/// the one given, or whose the first session is.
const READ_LOCKED: &str = "SELECT {columns} FROM {prefix}_sessions AS s WHERE s.id = ANY ($1) \
    OR (s.revoked_at IS NULL AND s.user_key = COALESCE($2, \
        (SELECT named.user_key FROM {prefix}_sessions AS named WHERE named.id = ($1)[1]))) \
    FOR NO KEY UPDATE OF s";

const INSERT: &str = "INSERT INTO {prefix}_sessions (id, user_key, appid, openid, unionid, \
        issued_at, absolute_end, idle_timeout, idle_deadline, last_used, retires_at, successor, \
        kept_until, data) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";

const UPDATE: &str = "UPDATE {prefix}_sessions AS s SET revision = s.revision + 1, \
        idle_deadline = COALESCE(new.idle_deadline, s.idle_deadline), last_used = new.last_used, \
        retires_at = new.retires_at, successor = new.successor, revoked_at = new.revoked_at, \
        reason = new.reason, kept_until = new.kept_until, \
        data = CASE WHEN new.revoked_at IS NULL THEN s.data END \
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS new (id, revision, idle_deadline, last_used, \
        retires_at, successor, revoked_at, reason, kept_until)";

/// Nobody waits for a row that somebody else has locked: it counts as changed.
const FREE: &str = "WITH free AS MATERIALIZED (SELECT id FROM {prefix}_sessions \
    WHERE id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED) ";

/// The condition stands on the row that is updated, whose newest version is locked by then.
const IF_UNCHANGED: &str = " JOIN free ON free.id = new.id \
    WHERE s.id = new.id AND s.revision = new.revision RETURNING s.id";

const SESSION_KEYS: &str = "SELECT clock.now, k.keys \
    FROM (SELECT clock_timestamp() AS now) AS clock \
    LEFT JOIN {prefix}_session_keys AS k ON k.user_key = $1";

const PUT_SESSION_KEYS: &str = "INSERT INTO {prefix}_session_keys (user_key, keys, kept_until) \
    VALUES ($1, $2, $3) ON CONFLICT (user_key) \
    DO UPDATE SET keys = excluded.keys, kept_until = excluded.kept_until";

/// Nothing unless nobody else is at it. Rows that somebody has locked are left for the next time. Only
/// what is behind the last one that was deleted is looked at: the index has those before it until they
/// are vacuumed.
const DELETE: &str = "WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1, $2) AS is_ours), \
    due AS (SELECT {id}, kept_until FROM {prefix}_{table} \
        WHERE (SELECT is_ours FROM turn) AND kept_until >= $3 AND kept_until <= clock_timestamp() \
        ORDER BY kept_until LIMIT $4 FOR UPDATE SKIP LOCKED), \
    gone AS (DELETE FROM {prefix}_{table} AS t USING due WHERE t.{id} = due.{id} RETURNING 1) \
    SELECT (SELECT count(*) FROM gone), (SELECT max(kept_until) FROM due)";

impl Statements {
    pub(super) fn new(names: &Names) -> Self {
        let fill = |text: &str| names.fill(&text.replace("{columns}", COLUMNS));
        let delete = |table, id| names.fill(&DELETE.replace("{table}", table).replace("{id}", id));
        Self {
            load: fill(LOAD),
            list: fill(LIST),
            lock: fill(LOCK),
            read_locked: fill(READ_LOCKED),
            insert: fill(INSERT),
            insert_new: fill(&format!(
                "{INSERT} ON CONFLICT (id) DO NOTHING RETURNING id"
            )),
            update: fill(&format!("{UPDATE} WHERE s.id = new.id")),
            update_if_unchanged: fill(&format!("{FREE}{UPDATE}{IF_UNCHANGED}")),
            session_keys: fill(SESSION_KEYS),
            put_session_keys: fill(PUT_SESSION_KEYS),
            tag_keys: fill("SELECT key FROM {prefix}_tag_keys"),
            add_tag_key: fill("INSERT INTO {prefix}_tag_keys (key) VALUES ($1)"),
            delete_sessions: delete("sessions", "id"),
            delete_session_keys: delete("session_keys", "user_key"),
        }
    }
}
