use super::names::Names;
use crate::session::KEPT_FOR_LATE_USES;
use crate::time::millis;

/// The columns that a row is read from, as `rows.rs` knows them.
const COLUMNS: &str = "s.id, s.revision, s.appid, s.openid, s.unionid, s.issued_at, s.absolute_end, \
    s.idle_timeout, s.idle_deadline, s.last_used, s.retires_at, s.successor, s.revoked_at, s.reason, \
    s.kept_until, s.data";

/// Each statement of a store, with the names of its tables.
///
/// Every parameter has its type where it is given, so that a statement can be sent without having been
/// prepared, as it has to be behind a pooler.
///
/// A plan may begin with any of its tables, and may have been made while they were small. So a table of sessions that
/// others are joined with has a condition of its own, `id = ANY (…)`, and nobody reads more of it than that.
#[derive(Clone, Debug)]
pub(super) struct Statements {
    pub(super) load: String,
    pub(super) list: String,
    pub(super) lock: String,
    pub(super) read_locked: String,
    pub(super) insert: String,
    pub(super) insert_new: String,
    pub(super) touch: String,
    pub(super) end: String,
    pub(super) retire: String,
    pub(super) insert_successors: String,
    pub(super) update: String,
    pub(super) update_if_unchanged: String,
    pub(super) session_keys: String,
    pub(super) put_session_keys: String,
    pub(super) now: String,
    pub(super) tag_keys: String,
    pub(super) add_tag_key: String,
    pub(super) delete_sessions: String,
    pub(super) delete_session_keys: String,
}

/// The time comes with whatever is read, in one row at least. A standby has none: what it knows is old.
const CLOCK: &str =
    "(SELECT CASE WHEN NOT pg_is_in_recovery() THEN clock_timestamp() END AS now) AS clock";

const LOAD: &str = "SELECT clock.now, {columns} FROM {clock} \
    LEFT JOIN {prefix}_sessions AS s ON s.id = ANY ($1)";

const LIST: &str = "SELECT clock.now, {columns} FROM {clock} \
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

/// The same, and of the users whose locks are to be had.
const FREE_WITH_USER: &str = "WITH ours AS MATERIALIZED (SELECT asked.id \
        FROM unnest($1, $10) AS asked (id, lock) WHERE pg_try_advisory_xact_lock($11, asked.lock)), \
    free AS MATERIALIZED (SELECT s.id FROM {prefix}_sessions AS s \
        WHERE s.id = ANY (ARRAY(SELECT ours.id FROM ours)) FOR NO KEY UPDATE OF s SKIP LOCKED) ";

/// Of sessions that have taken the place of one of those in `$15`.
const OF_SUCCESSORS: &str = " AS new (id) WHERE EXISTS (SELECT FROM {prefix}_sessions AS old \
    WHERE old.id = ANY ($15) AND old.successor = new.id)";

/// The condition stands on the row that is updated, whose newest version is locked by then.
const IF_UNCHANGED: &str = " JOIN free ON free.id = new.id \
    WHERE s.id = ANY ($1) AND s.id = new.id AND s.revision = new.revision RETURNING s.id";

/// What a row is compared with. Nobody waits behind it, so that it is as late as what is read with it. A
/// record's times are exact to the millisecond.
const NOW: &str = "(SELECT date_trunc('milliseconds', clock_timestamp()) AS now) AS clock";

/// Means `s.revoked_at IS NULL`. Written like that, a plan may take the index of live rows for the shorter way, and
/// read all of it: `findings/postgres-index-of-live-rows.sh`.
const IS_NOT_REVOKED: &str = "num_nulls(s.revoked_at) = 1";

/// As `Record::hard_end` has it.
const HARD_END: &str = "LEAST(COALESCE(s.retires_at, s.absolute_end), s.absolute_end)";

/// As `Record::kept_until` has it, with the column of this row, or what takes its place.
const RECORD_KEPT_UNTIL: &str = "LEAST({deadline} + GREATEST(s.idle_timeout, interval '{late} milliseconds'), \
    {hard_end} + s.idle_timeout)";

/// What `Record::touch` does, by its rules: the condition stands on the row that is updated. The instant of
/// deletion moves by hours, as in `rows.rs`.
const TOUCH: &str = "UPDATE {prefix}_sessions AS s SET revision = s.revision + 1, \
        last_used = GREATEST(s.last_used, use.at), idle_deadline = {new_deadline}, \
        kept_until = s.kept_until + interval '1 hour' * GREATEST(0, \
            ceil(extract(epoch FROM {new_kept_until} - s.kept_until) / 3600)) \
    FROM (SELECT id, since, used_at, slack, now, LEAST(used_at, now) AS at \
            FROM unnest($1, $2, $3, $4) AS asked (id, since, used_at, slack), {now}) AS use \
        JOIN free ON free.id = use.id \
    WHERE s.id = ANY ($1) AND s.id = use.id AND {is_not_revoked} AND use.now < {kept_until} \
        AND LEAST(use.since, use.at) <= s.idle_deadline AND use.at < {hard_end} \
        AND s.idle_deadline <= use.used_at + s.idle_timeout \
    RETURNING s.id, s.idle_deadline";

const NEW_DEADLINE: &str = "GREATEST(s.idle_deadline, use.at + s.idle_timeout + use.slack)";

/// What `Ledger::revoke` does to one session without a successor, by its rules, and says so to links.
const END: &str = ", ended AS (UPDATE {prefix}_sessions AS s SET revision = s.revision + 1, \
        revoked_at = asked.now, reason = asked.reason, data = NULL, last_used = NULL, retires_at = NULL, \
        kept_until = GREATEST(s.absolute_end, {kept_until}) \
    FROM (SELECT id, reason, issued_by, now \
            FROM unnest($1, $2, $3) AS asked (id, reason, issued_by), {now}) AS asked \
        JOIN free ON free.id = asked.id \
    WHERE s.id = ANY ($1) AND s.id = asked.id AND {is_not_revoked} AND s.successor IS NULL \
        AND asked.now < {kept_until} AND (asked.issued_by IS NULL OR s.issued_at <= asked.issued_by) \
    RETURNING s.id) \
    SELECT names, pg_notify($4, $5 || array_to_string(names, '')) \
    FROM (SELECT array_agg(id) AS names FROM ended) AS done WHERE names IS NOT NULL";

const SESSION_KEYS: &str = "SELECT clock.now, k.keys FROM {clock} \
    LEFT JOIN {prefix}_session_keys AS k ON k.user_key = $1";

const PUT_SESSION_KEYS: &str = "INSERT INTO {prefix}_session_keys (user_key, keys, kept_until) \
    VALUES ($1, $2, $3) ON CONFLICT (user_key) \
    DO UPDATE SET keys = excluded.keys, kept_until = excluded.kept_until";

const TAG_KEYS: &str =
    "SELECT clock.now, k.key FROM {clock} LEFT JOIN {prefix}_tag_keys AS k ON true";

/// Nothing unless nobody else is at it. Rows that somebody has locked are left for the next time. Only
/// what is behind the last one that was deleted is looked at: the index has those before it until they
/// are vacuumed. The time is a subquery: compared with the function itself, which is volatile, every row
/// behind those that are due would be looked at.
const DELETE: &str = "WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1, $2) AS is_ours), \
    due AS (SELECT {id}, kept_until FROM {prefix}_{table} \
        WHERE (SELECT is_ours FROM turn) AND kept_until >= $3 AND kept_until <= (SELECT clock_timestamp()) \
        ORDER BY kept_until LIMIT $4 FOR UPDATE SKIP LOCKED), \
    gone AS (DELETE FROM {prefix}_{table} WHERE {id} = ANY (ARRAY(SELECT {id} FROM due)) RETURNING 1) \
    SELECT (SELECT count(*) FROM gone), (SELECT max(kept_until) FROM due)";

impl Statements {
    pub(super) fn new(names: &Names) -> Self {
        let fill = |text: &str| {
            let text = text.replace("{columns}", COLUMNS);
            names.fill(&text.replace("{clock}", CLOCK))
        };
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
            touch: fill(&by_rules(&format!("{FREE}{TOUCH}"))),
            end: fill(&by_rules(&format!("{}{END}", FREE.trim_end()))),
            retire: fill(&format!("{FREE_WITH_USER}{UPDATE}{IF_UNCHANGED}")),
            insert_successors: fill(&format!("{INSERT}{OF_SUCCESSORS}")),
            update: fill(&format!("{UPDATE} WHERE s.id = ANY ($1) AND s.id = new.id")),
            update_if_unchanged: fill(&format!("{FREE}{UPDATE}{IF_UNCHANGED}")),
            session_keys: fill(SESSION_KEYS),
            put_session_keys: fill(PUT_SESSION_KEYS),
            now: fill("SELECT now FROM {clock}"),
            tag_keys: fill(TAG_KEYS),
            add_tag_key: fill("INSERT INTO {prefix}_tag_keys (key) VALUES ($1)"),
            delete_sessions: delete("sessions", "id"),
            delete_session_keys: delete("session_keys", "user_key"),
        }
    }
}

/// A statement that decides as a record does.
fn by_rules(statement: &str) -> String {
    let kept_until = |deadline| RECORD_KEPT_UNTIL.replace("{deadline}", deadline);
    statement
        .replace("{new_kept_until}", &kept_until("{new_deadline}"))
        .replace("{kept_until}", &kept_until("s.idle_deadline"))
        .replace("{late}", &millis(KEPT_FOR_LATE_USES).to_string())
        .replace("{new_deadline}", NEW_DEADLINE)
        .replace("{hard_end}", HARD_END)
        .replace("{is_not_revoked}", IS_NOT_REVOKED)
        .replace("{now}", NOW)
}
